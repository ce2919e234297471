//! What the sandbox saw, as data.

use std::collections::BTreeMap;

use jobs::destination::{Destination, Vendor};
use serde::{Deserialize, Serialize};

use super::{
    breach::{Breach, Moved},
    ledger::{Ledger, slot},
};
use crate::{faults::Fault, traffic::TrafficReport};

/// A change applied more than once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// Where.
    pub destination: Destination,
    /// The change.
    pub change_id: String,
    /// Applications beyond the first.
    pub times: usize,
}

/// Everything that the checker knows. `verdicts` turns it into promises held or broken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Changes ever in the feed.
    pub changes: usize,
    /// Changes that a GET would still return.
    pub unprocessed: usize,
    /// Changes PUT as handled.
    pub acknowledged: usize,
    /// Changes marked by a GET with markAsProcessed.
    pub marked_on_fetch: usize,
    /// Changes applied at least once, by destination.
    pub applied: BTreeMap<Destination, usize>,
    /// Counters of all calls.
    pub traffic: TrafficReport,
    /// Faults injected, by vendor.
    pub faults: BTreeMap<Vendor, BTreeMap<Fault, u64>>,
    /// Changes PUT before every enabled destination had applied them.
    pub acknowledged_early: Vec<String>,
    /// Changes with a changeId that were neither PUT nor marked on fetch.
    pub unacknowledged: Vec<String>,
    /// Older changes applied after newer ones.
    pub inversions: Vec<Breach>,
    /// People whose value at a destination is not that of the newest change applied there.
    pub stale_overwrites: Vec<Breach>,
    /// Changes applied more than once.
    pub repeats: Vec<Repeat>,
    /// Supporters (supporterId) who had opted out and were subscribed again.
    pub resubscribed: Vec<String>,
    /// Identities changed, doubled or mistaken.
    pub identity_moved: Vec<Moved>,
    /// Writes at a destination that no change's marker explains.
    pub unattributed: u64,
    /// Salsa address fields that had a value and were set to nothing by a document without them.
    pub address_fields_erased: u64,
    /// changeIds in PUTs that the feed never had.
    pub unknown_acknowledgements: u64,
    /// changeIds PUT again.
    pub repeated_acknowledgements: u64,
    /// How often the checker was told that the relay's memory was emptied.
    pub forgotten: u64,
    /// Applications of changes that were not acknowledged then: they may all be repeated.
    pub forgotten_applications: u64,
}

impl Report {
    /// The ledger's part of the report. `enabled` are the destinations that the relay serves.
    pub(crate) fn of(ledger: &Ledger, enabled: &[Destination]) -> Self {
        let mut report = Self {
            changes: ledger.entries.len(),
            inversions: ledger.inversions.clone(),
            stale_overwrites: ledger.stale(),
            resubscribed: ledger.resubscribed.clone(),
            identity_moved: ledger.identity_moved.clone(),
            unattributed: ledger.unattributed,
            address_fields_erased: ledger.address_fields_erased,
            unknown_acknowledgements: ledger.unknown_acknowledgements,
            repeated_acknowledgements: ledger.repeated_acknowledgements,
            forgotten: ledger.forgotten,
            forgotten_applications: ledger.forgotten_applications,
            ..Self::default()
        };
        for entry in &ledger.entries {
            for destination in Destination::ALL {
                let times = entry.applied[slot(destination)].len();
                *report.applied.entry(destination).or_default() += usize::from(times > 0);
                if times > 1 {
                    report.repeats.push(Repeat {
                        destination,
                        change_id: entry.id.clone(),
                        times: times - 1,
                    });
                }
            }
            report.marked_on_fetch += usize::from(entry.marked_on_fetch);
            match entry.acknowledged {
                Some(acknowledged) => {
                    report.acknowledged += 1;
                    let in_time = |destination: &Destination| {
                        let first = entry.applied[slot(*destination)].first();
                        first.is_some_and(|&applied| applied < acknowledged)
                    };
                    if !enabled.iter().all(in_time) {
                        report.acknowledged_early.push(entry.id.clone());
                    }
                }
                None if !entry.marked_on_fetch => report.unacknowledged.push(entry.id.clone()),
                None => {}
            }
        }
        report
    }

    /// Applications beyond the first of each change.
    pub fn repeated(&self) -> usize {
        self.repeats.iter().map(|repeat| repeat.times).sum()
    }
}
