//! The newest fencing tokens that this process was given: what shows that Redis' state went back in time.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jobs::destination::Destination;
use tokio::time::Instant;

/// An older token says nothing: no replica lags for so long, and a process that rested for longer may have been
/// forgotten by Redis.
const FRESH: Duration = Duration::from_secs(300);

/// Destination and worker -> token, and when it was given.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<(Destination, String), (u64, Instant)>>);

impl Seen {
    /// The newest one of a worker; 0 where it has none that is fresh.
    pub fn newest(&self, destination: Destination, worker: &str) -> u64 {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&(destination, worker.to_owned()))
            .filter(|(_, given)| given.elapsed() < FRESH)
            .map_or(0, |(token, _)| *token)
    }

    pub fn remember(&self, destination: Destination, worker: &str, token: u64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((destination, worker.to_owned()), (token, Instant::now()));
    }
}
