//! The model of a gate: a circuit breaker.

/// So many calls in a row must fail, and the vendor is held to be down.
pub const FAILURES: usize = 8;

/// So must half of the newest calls, of at least so many.
const FEWEST: usize = 100;

/// At so many the window is halved.
const WINDOW: usize = 200;

/// So many successes after a pause take a step of its length back.
const FORGIVE: usize = 8;

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
    /// The token of the newest probe.
    pub probe: Option<u64>,
    /// Calls at a time after a pause.
    pub ramp: Option<usize>,
    pub failed: usize,
    /// Calls that found the vendor down, in a row.
    pub row: usize,
    /// Calls since one found it down, and how many did.
    pub window: (usize, usize),
    /// The newest token at the first failure since the vendor last proved to work.
    pub doubt: Option<u64>,
    /// The newest token when it was last opened by a success.
    pub opened: Option<u64>,
}

impl Gate {
    pub fn is_shut(&self) -> bool {
        self.operator || self.machine == Some(Machine::Shut)
    }

    /// A call with this token began in trouble that is over, or that is known.
    pub fn is_late(&self, token: u64) -> bool {
        match self.machine {
            Some(_) => self.probe != Some(token),
            None => self.opened.is_some_and(|newest_then| token <= newest_then),
        }
    }

    /// `true`: it was not shut before.
    pub fn shut(&mut self) -> bool {
        if self.machine == Some(Machine::Shut) {
            return false;
        }
        *self = Self {
            operator: self.operator,
            machine: Some(Machine::Shut),
            streak: self.streak + 1,
            doubt: self.doubt,
            opened: self.opened,
            ..Self::default()
        };
        true
    }

    /// `newest`: the newest token, where it does not open at once.
    pub fn succeeded(&mut self, newest: Option<u64>) {
        self.failed = 0;
        if newest.is_some() {
            self.row = 0;
            let (calls, down) = self.window;
            if calls > 0 {
                self.window = halved((calls + 1, down));
            }
        }
        if self.machine == Some(Machine::HalfOpen) {
            self.machine = None;
            self.probe = None;
            match newest {
                Some(_) => (self.ramp, self.opened) = (Some(1), newest),
                None => self.streak = 0,
            }
        }
        if let Some(calls) = &mut self.ramp {
            *calls += 1;
            if calls.is_multiple_of(FORGIVE) {
                self.streak = self.streak.saturating_sub(1);
            }
        }
    }

    /// Whether this is the vendor's failure.
    pub fn has_failed(&mut self, is_doubtful: bool, suspects: usize) -> bool {
        if self.machine.is_some() {
            return true;
        }
        self.failed += usize::from(is_doubtful);
        is_doubtful && self.failed >= FAILURES && suspects >= FAILURES
    }

    /// A call found the vendor down; whether it is held to be.
    pub fn was_found_down(&mut self) -> bool {
        if self.machine.is_some() {
            return true;
        }
        self.row += 1;
        self.window = halved((self.window.0 + 1, self.window.1 + 1));
        let (calls, down) = self.window;
        let let_out = self.ramp.unwrap_or(FAILURES).min(FAILURES);
        self.row >= let_out || (calls >= FEWEST && down * 2 >= calls)
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

fn halved((calls, down): (usize, usize)) -> (usize, usize) {
    match (calls / 2, down / 2) {
        _ if calls < WINDOW => (calls, down),
        (_, 0) => (0, 0),
        halves => halves,
    }
}
