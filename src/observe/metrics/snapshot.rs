//! The gauges of the shared queue: one plain snapshot, published as a whole.

use std::{collections::BTreeMap, time::Duration};

use jobs::{
    destination::Vendor,
    outcome::{DeadClass, PauseReason},
};

use super::names;

/// The shared queue at one moment, the same for every process that reads it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueueSnapshot {
    /// The destinations, and AlumnIQ for the acknowledgement (ready = to acknowledge, running = acknowledging).
    pub destinations: BTreeMap<Vendor, DestinationSnapshot>,
    /// Age of the oldest change that AlumnIQ was not told about; dead letters count.
    pub oldest_unacknowledged: Option<Duration>,
    /// Age of the oldest change on the way to each of them; what an operator holds back is left out.
    pub oldest_in_flight: BTreeMap<Vendor, f64>,
    /// Since the namespace began.
    pub books: BooksSnapshot,
    /// Redis' used memory over its limit; 0 where it has none.
    pub redis_memory: f64,
    /// How many processes run each role, also those that nobody runs.
    pub workers: BTreeMap<&'static str, u64>,
    /// When the last full fetch began, Unix seconds.
    pub last_successful_fetch: Option<f64>,
    /// Whether the last fetch by schedule failed.
    pub last_fetch_failed: bool,
    /// Days until AlumnIQ's key expires.
    pub key_days: Option<i64>,
}

/// The books, in changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BooksSnapshot {
    /// Taken in.
    pub fetched: i64,
    /// AlumnIQ was told.
    pub acknowledged: i64,
    /// Given up by an operator.
    pub discarded: i64,
    /// On the way.
    pub in_flight: i64,
    /// Dead at one destination at least.
    pub dead: i64,
    /// fetched - (acknowledged + discarded + in flight + dead).
    pub difference: i64,
}

/// One destination's share of the queue, counted in changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DestinationSnapshot {
    /// Behind another change of the same person; below zero where the counters are wrong.
    pub waiting: i64,
    /// Free to run.
    pub ready: u64,
    /// Under lease.
    pub running: u64,
    /// Due again later.
    pub retry: u64,
    /// Dead letters by class.
    pub dead: BTreeMap<DeadClass, u64>,
    /// Why calls are held, and since when (Unix seconds).
    pub paused: Option<(PauseReason, f64)>,
}

/// A counter over a number that falls to 0 where Redis is emptied.
#[derive(Debug, Default)]
pub(super) struct Growth {
    last: u64,
    total: u64,
}

impl Growth {
    /// The total, now that the number is `count`. It never falls: what is less than before was counted anew.
    pub fn of(&mut self, count: i64) -> u64 {
        let count = u64::try_from(count).unwrap_or_default();
        self.total += count.checked_sub(self.last).unwrap_or(count);
        self.last = count;
        self.total
    }
}

/// Sets everything of scope fleet. Closed sets of label values are written in full, so that a series falls to 0
/// instead of ending.
#[expect(
    clippy::cast_precision_loss,
    reason = "the exposition has only f64; exact to 2^53"
)]
pub(super) fn set(snapshot: &QueueSnapshot, discarded: u64) {
    let absent = DestinationSnapshot::default();
    for vendor in Vendor::ALL {
        let destination = snapshot.destinations.get(&vendor).unwrap_or(&absent);
        set_destination(vendor.as_str(), destination);
        let oldest = snapshot.oldest_in_flight.get(&vendor);
        names::OLDEST_IN_FLIGHT.set([vendor.as_str()], oldest.copied().unwrap_or(0.0));
    }
    let books = &snapshot.books;
    for (entry, count) in [
        ("fetched", books.fetched),
        ("acknowledged", books.acknowledged),
        ("discarded", books.discarded),
        ("in_flight", books.in_flight),
        ("dead", books.dead),
    ] {
        names::BOOKS.set([entry], count as f64);
    }
    names::BOOKS_DIFFERENCE.set([], books.difference as f64);
    names::CHANGES_DISCARDED.add([], discarded);
    let oldest = snapshot.oldest_unacknowledged.unwrap_or_default();
    names::OLDEST_UNACKNOWLEDGED.set([], oldest.as_secs_f64());
    names::REDIS_MEMORY.set([], snapshot.redis_memory);
    for (role, processes) in &snapshot.workers {
        names::WORKERS.set_count([role], *processes);
    }
    let fetched = snapshot.last_successful_fetch.unwrap_or_default();
    names::LAST_SUCCESSFUL_FETCH.set([], fetched);
    names::LAST_FETCH_FAILED.set_flag([], snapshot.last_fetch_failed);
    if let Some(days) = snapshot.key_days {
        names::API_KEY_DAYS_REMAINING.set([], days as f64);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the exposition has only f64; exact to 2^53"
)]
fn set_destination(name: &str, destination: &DestinationSnapshot) {
    names::JOBS.set([name, "waiting"], destination.waiting as f64);
    for (state, count) in [
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
        let paused = destination.paused.is_some_and(|(why, _)| why == reason);
        names::DESTINATION_PAUSED.set_flag([name, reason.as_str()], paused);
    }
    let since = destination.paused.map_or(0.0, |(_, since)| since);
    names::DESTINATION_PAUSED_SINCE.set([name], since);
}
