//! The model of a gate.

use std::collections::BTreeSet;

/// So many different changes must fail in a row before the vendor is held to be down.
const FAILURES: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// Until its time has come.
    Shut,
    /// One probe at a time.
    HalfOpen,
}

#[derive(Debug, Default)]
pub struct Gate {
    pub operator: bool,
    pub machine: Option<Machine>,
    pub streak: u32,
    pub suspects: BTreeSet<String>,
}

impl Gate {
    pub fn is_shut(&self) -> bool {
        self.operator || self.machine == Some(Machine::Shut)
    }

    pub fn shut(&mut self) {
        if self.machine != Some(Machine::Shut) {
            self.machine = Some(Machine::Shut);
            self.streak += 1;
        }
    }

    pub fn succeeded(&mut self) {
        self.suspects.clear();
        if self.machine == Some(Machine::HalfOpen) {
            self.machine = None;
            self.streak = 0;
        }
    }

    /// Whether the failure of `id` is the vendor's.
    pub fn failed(&mut self, id: &str) -> bool {
        if self.machine.is_none() {
            self.suspects.insert(id.to_owned());
            if self.suspects.len() < FAILURES {
                return false;
            }
        }
        self.shut();
        true
    }
}
