//! The model of a gate.

/// So many calls in a row must fail, with as many different changes, and the vendor is held to be down.
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
    /// Calls at a time after a pause.
    pub ramp: Option<usize>,
    pub failed: usize,
    /// The newest token at the first failure since the vendor last proved to work.
    pub doubt: Option<u64>,
    /// The newest token when it was last opened by a success.
    pub opened: Option<u64>,
}

impl Gate {
    pub fn is_shut(&self) -> bool {
        self.operator || self.machine == Some(Machine::Shut)
    }

    /// `true`: it was not shut before.
    pub fn shut(&mut self) -> bool {
        if self.machine == Some(Machine::Shut) {
            return false;
        }
        self.machine = Some(Machine::Shut);
        self.streak += 1;
        self.ramp = None;
        self.failed = 0;
        true
    }

    /// `newest`: the newest token, where it does not open at once.
    pub fn succeeded(&mut self, newest: Option<u64>) {
        self.failed = 0;
        if self.machine == Some(Machine::HalfOpen) {
            self.machine = None;
            match newest {
                Some(_) => (self.ramp, self.opened) = (Some(1), newest),
                None => self.streak = 0,
            }
        }
        self.ramp = self.ramp.map(|calls| calls + 1);
    }

    /// Whether this is the vendor's failure.
    pub fn has_failed(&mut self, is_doubtful: bool, suspects: usize) -> bool {
        if self.machine.is_some() {
            return true;
        }
        self.failed += usize::from(is_doubtful);
        is_doubtful && self.failed >= FAILURES && suspects >= FAILURES
    }

    /// How many changes may be leased at once.
    pub fn admits(&mut self, fleet_limit: usize, batch: usize) -> usize {
        let ramp = self.ramp.map(|calls| calls * batch);
        if ramp.is_some_and(|ramp| ramp >= fleet_limit) {
            self.ramp = None;
            self.streak = 0;
        }
        self.ramp.map_or(fleet_limit, |calls| calls * batch)
    }
}
