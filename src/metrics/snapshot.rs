//! The gauges of the shared queue: one plain snapshot, published as a whole.

use std::{collections::BTreeMap, time::Duration};

use jobs::{
    destination::Destination,
    outcome::{DeadClass, PauseReason},
};

use super::names;

/// The name under which the acknowledgement to AlumnIQ is counted beside the destinations.
pub const ALUMNIQ: &str = "alumniq";

/// The shared queue at one moment, the same for every process that reads it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueueSnapshot {
    /// By wire name: the destinations, and [`ALUMNIQ`] for the acknowledgement (ready = to acknowledge,
    /// running = acknowledging).
    pub destinations: BTreeMap<&'static str, DestinationSnapshot>,
    /// Age of the oldest change that AlumnIQ was not told about; dead letters count.
    pub oldest_unacknowledged: Option<Duration>,
    /// fetched - (acknowledged + discarded + in flight + dead).
    pub books_difference: i64,
    /// Redis' used memory over its limit; 0 where it has none.
    pub redis_memory: f64,
}

/// One destination's share of the queue, counted in changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DestinationSnapshot {
    /// Behind another change of the same person.
    pub waiting: u64,
    /// Free to run.
    pub ready: u64,
    /// Under lease.
    pub running: u64,
    /// Due again later.
    pub retry: u64,
    /// Dead letters by class.
    pub dead: BTreeMap<DeadClass, u64>,
    /// Why calls are held; empty when they are not.
    pub paused: Vec<PauseReason>,
}

/// Sets every gauge of the shared queue. All label values are closed sets and each is written every time,
/// so a series whose count vanished from the snapshot falls to 0 instead of keeping its last value.
#[expect(
    clippy::cast_precision_loss,
    reason = "the exposition has only f64; exact to 2^53"
)]
pub fn publish(snapshot: &QueueSnapshot) {
    let absent = DestinationSnapshot::default();
    for name in Destination::ALL
        .map(Destination::as_str)
        .into_iter()
        .chain([ALUMNIQ])
    {
        let destination = snapshot.destinations.get(name).unwrap_or(&absent);
        for (state, count) in [
            ("waiting", destination.waiting),
            ("ready", destination.ready),
            ("running", destination.running),
            ("retry", destination.retry),
            ("dead", destination.dead.values().sum()),
        ] {
            names::JOBS.set_count([name, state], count);
        }
        for class in DeadClass::ALL {
            let count = destination.dead.get(&class).copied().unwrap_or(0);
            names::DEAD_LETTERS.set_count([name, class.as_str()], count);
        }
        for reason in PauseReason::ALL {
            let paused = destination.paused.contains(&reason);
            names::DESTINATION_PAUSED.set_flag([name, reason.as_str()], paused);
        }
    }
    let oldest = snapshot.oldest_unacknowledged.unwrap_or_default();
    names::OLDEST_UNACKNOWLEDGED.set([], oldest.as_secs_f64());
    names::BOOKS_DIFFERENCE.set([], snapshot.books_difference as f64);
    names::REDIS_MEMORY.set([], snapshot.redis_memory);
}
