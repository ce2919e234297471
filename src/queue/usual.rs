//! Whether an exchange is likely to be the usual case, see `work/exchange_usual.lua`.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jobs::destination::Destination;
use tokio::time::Instant;

use super::{executor::Transition, settlement::Settlement};

/// What was unusual mostly stays so for a while: until then no round trip is spent on finding out.
const AGAIN: Duration = Duration::from_millis(250);

/// Destination -> when it was found to be unusual last.
#[derive(Debug, Default)]
pub(super) struct UsualCase(Mutex<HashMap<Destination, Instant>>);

impl UsualCase {
    /// Whether to try it. Where nothing ends, the other script has less to look at.
    pub fn is_likely(&self, destination: Destination, ended: &[Settlement]) -> bool {
        let is_done = |item: &Settlement| matches!(item.transition, Transition::Done { .. });
        if ended.is_empty() || !ended.iter().all(is_done) {
            return false;
        }
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found
            .get(&destination)
            .is_none_or(|found| found.elapsed() >= AGAIN)
    }

    /// It was not the usual case.
    pub fn was_unusual(&self, destination: Destination) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(destination, Instant::now());
    }
}
