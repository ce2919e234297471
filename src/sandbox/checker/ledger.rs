//! The log of commits: what was applied where and in which order, as the destinations saw it.

use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use jobs::destination::Destination;
use serde::{Deserialize, Serialize};

use super::breach::{Breach, Moved};
use crate::data::PublishedChange;

/// Position of a change among all: time of the change, then changeId, numbers before words. It is
/// worked out here anew, so that the checker does not share a mistake with the relay.
pub(crate) type OrderKey = (i64, String);

/// The relay's memory was emptied (`POST /_sandbox/forgotten`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Forgotten {
    /// For so long calls may still arrive that were begun before (0). They count as the past, too.
    pub grace_seconds: f64,
}

/// One destination's view of one constituent.
#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    newest: Option<usize>,
    last: Option<usize>,
    /// The newest that the relay can still know of: what order is judged by.
    remembered: Option<usize>,
}

/// What happened to one change, as sequence numbers of the log.
#[derive(Debug)]
pub(crate) struct LedgerEntry {
    pub(crate) id: String,
    pub(crate) xid: Option<String>,
    pub(crate) key: OrderKey,
    pub(crate) applied: [Vec<u64>; Destination::ALL.len()],
    pub(crate) acknowledged: Option<u64>,
    pub(crate) marked_on_fetch: bool,
    pub(crate) times: Times,
}

/// When it happened to one change, in seconds since the epoch (`GET /_sandbox/times`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// It came into the feed.
    pub published: f64,
    /// The CRM took it first.
    pub crm: Option<f64>,
    /// Salsa took it first.
    pub salsa: Option<f64>,
    /// It was PUT as handled first.
    pub acknowledged: Option<f64>,
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// How many changes have come how far (`GET /_sandbox/progress`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Ever in the feed.
    pub changes: usize,
    /// Applied in the CRM.
    pub crm: usize,
    /// Applied in Salsa.
    pub salsa: usize,
    /// PUT as handled.
    pub acknowledged: usize,
}

/// The log.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    sequence: u64,
    pub(crate) progress: Progress,
    pub(crate) entries: Vec<LedgerEntry>,
    by_id: HashMap<String, usize>,
    lanes: HashMap<(Destination, String), Lane>,
    pub(crate) inversions: Vec<Breach>,
    pub(crate) identity_moved: Vec<Moved>,
    pub(crate) resubscribed: Vec<String>,
    pub(crate) unattributed: u64,
    pub(crate) unknown_acknowledgements: u64,
    pub(crate) repeated_acknowledgements: u64,
    pub(crate) address_fields_erased: u64,
    pub(crate) forgotten: u64,
    pub(crate) forgotten_applications: u64,
    past_until: Option<Instant>,
}

/// Place of a destination in [`LedgerEntry::applied`].
pub(crate) fn slot(destination: Destination) -> usize {
    match destination {
        Destination::Crm => 0,
        Destination::Salsa => 1,
    }
}

impl Ledger {
    /// A row without a changeId, or with one already published, has no entry of its own.
    pub(crate) fn publish(&mut self, change: &PublishedChange) {
        if change.id.is_empty() || self.by_id.contains_key(&change.id) {
            return;
        }
        self.by_id.insert(change.id.clone(), self.entries.len());
        self.entries.push(LedgerEntry {
            id: change.id.clone(),
            xid: change.xid.clone(),
            key: (change.at_millis, id_order(&change.id)),
            applied: [Vec::new(), Vec::new()],
            acknowledged: None,
            marked_on_fetch: false,
            times: Times {
                published: now(),
                crm: None,
                salsa: None,
                acknowledged: None,
            },
        });
        self.progress.changes += 1;
    }

    pub(crate) fn entry(&self, id: &str) -> Option<&LedgerEntry> {
        self.by_id.get(id).map(|&index| &self.entries[index])
    }

    fn tick(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// A destination committed the change whose marker was in the document, to the person that it
    /// knows under `owner`.
    pub(crate) fn applied(
        &mut self,
        destination: Destination,
        marker: Option<&str>,
        owner: Option<&str>,
    ) {
        let sequence = self.tick();
        let Some(&index) = marker.and_then(|id| self.by_id.get(id)) else {
            self.unattributed += 1;
            return;
        };
        let entry = &mut self.entries[index];
        entry.applied[slot(destination)].push(sequence);
        let (at, so_far) = match destination {
            Destination::Crm => (&mut entry.times.crm, &mut self.progress.crm),
            Destination::Salsa => (&mut entry.times.salsa, &mut self.progress.salsa),
        };
        if at.is_none() {
            *at = Some(now());
            *so_far += 1;
        }
        let Some(xid) = entry.xid.clone() else { return };
        if owner != Some(&xid) {
            let change_id = entry.id.clone();
            self.moved(
                destination,
                change_id,
                "it was applied to another person's record",
            );
        }
        let is_past = self.past_until.is_some_and(|until| Instant::now() < until);
        let entries = &self.entries;
        let older_than = |other: usize| entries[index].key < entries[other].key;
        let lane = self.lanes.entry((destination, xid)).or_default();
        lane.last = Some(index);
        if !lane.newest.is_some_and(older_than) {
            lane.newest = Some(index);
        }
        match lane.remembered.filter(|&newest| older_than(newest)) {
            _ if is_past => {}
            Some(newest) => self.inversions.push(Breach {
                destination,
                change_id: entries[index].id.clone(),
                newer_change_id: entries[newest].id.clone(),
            }),
            None => lane.remembered = Some(index),
        }
    }

    /// The relay knows nothing any more. What is not acknowledged, it fetches and applies again, from each
    /// person's oldest on: that is no inversion. Returns how many applications are so repeated at the most.
    pub(crate) fn forget(&mut self, forgotten: Forgotten) -> u64 {
        for lane in self.lanes.values_mut() {
            lane.remembered = None;
        }
        let grace = Duration::try_from_secs_f64(forgotten.grace_seconds).unwrap_or_default();
        self.past_until = Instant::now().checked_add(grace);
        let open = self
            .entries
            .iter()
            .filter(|entry| entry.acknowledged.is_none());
        let applications = open.flat_map(|entry| &entry.applied);
        let repeatable = applications.filter(|times| !times.is_empty()).count() as u64;
        self.forgotten += 1;
        self.forgotten_applications += repeatable;
        repeatable
    }

    /// AlumnIQ lists other rows for these changes: what was applied of the old ones does not count.
    pub(crate) fn corrected(&mut self, ids: &[String]) {
        for id in ids {
            if let Some(&index) = self.by_id.get(id) {
                self.entries[index].applied = Default::default();
            }
        }
    }

    pub(crate) fn moved(&mut self, destination: Destination, id: String, what: &str) {
        self.identity_moved.push(Moved {
            destination,
            change_id: id,
            what: what.to_owned(),
        });
    }

    /// AlumnIQ was told that the change was handled.
    pub(crate) fn acknowledge(&mut self, id: &str) {
        let sequence = self.tick();
        match self.by_id.get(id) {
            None => self.unknown_acknowledgements += 1,
            Some(&index) if self.entries[index].acknowledged.is_some() => {
                self.repeated_acknowledgements += 1;
            }
            Some(&index) => {
                let entry = &mut self.entries[index];
                entry.acknowledged = Some(sequence);
                entry.times.acknowledged = Some(now());
                self.progress.acknowledged += 1;
            }
        }
    }

    pub(crate) fn mark_on_fetch(&mut self, id: &str) {
        if let Some(&index) = self.by_id.get(id) {
            self.entries[index].marked_on_fetch = true;
        }
    }

    /// Where an older change was the last to be applied.
    pub(crate) fn stale(&self) -> Vec<Breach> {
        let mut stale: Vec<_> = self
            .lanes
            .iter()
            .filter_map(|((destination, _), lane)| {
                let (last, newest) = (&self.entries[lane.last?], &self.entries[lane.newest?]);
                (last.key < newest.key).then(|| Breach {
                    destination: *destination,
                    change_id: last.id.clone(),
                    newer_change_id: newest.id.clone(),
                })
            })
            .collect();
        stale.sort_by(|a, b| a.change_id.cmp(&b.change_id));
        stale
    }
}

fn id_order(id: &str) -> String {
    let digits = id.trim_start_matches('0');
    match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("n{:03}{digits}", digits.len()),
        false => format!("s{id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(changes: &[(&str, i64)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (id, at_millis) in changes {
            ledger.publish(&PublishedChange {
                id: (*id).to_owned(),
                xid: Some("7".to_owned()),
                at_millis: *at_millis,
                ..PublishedChange::default()
            });
        }
        ledger
    }

    #[test]
    fn ids_are_compared_as_numbers_within_a_second() {
        let mut ledger = ledger(&[("9999", 5), ("10000", 5)]);
        ledger.applied(Destination::Crm, Some("9999"), Some("7"));
        ledger.applied(Destination::Crm, Some("10000"), Some("7"));
        assert!(ledger.inversions.is_empty());
        assert!(ledger.stale().is_empty());
    }

    #[test]
    fn an_older_change_after_a_newer_one_is_an_inversion_and_leaves_a_stale_value() {
        let mut ledger = ledger(&[("1", 5), ("2", 6)]);
        ledger.applied(Destination::Salsa, Some("2"), Some("7"));
        ledger.applied(Destination::Crm, Some("1"), Some("7"));
        assert!(ledger.inversions.is_empty(), "destinations are apart");
        ledger.applied(Destination::Salsa, Some("1"), Some("7"));
        let expected = [Breach {
            destination: Destination::Salsa,
            change_id: "1".to_owned(),
            newer_change_id: "2".to_owned(),
        }];
        assert_eq!(ledger.inversions, expected);
        assert_eq!(ledger.stale(), expected);
        ledger.applied(Destination::Salsa, Some("2"), Some("7"));
        assert_eq!(ledger.inversions.len(), 1);
        assert!(ledger.stale().is_empty(), "the newest value is back");
    }

    #[test]
    fn what_was_forgotten_is_applied_again_in_order_and_must_end_with_the_newest() {
        let mut ledger = ledger(&[("1", 5), ("2", 6), ("3", 7)]);
        let crm = Destination::Crm;
        for id in ["1", "2"] {
            ledger.applied(crm, Some(id), Some("7"));
        }
        ledger.acknowledge("1");
        assert_eq!(
            ledger.forget(Forgotten::default()),
            1,
            "2 is not acknowledged"
        );
        ledger.applied(crm, Some("1"), Some("7"));
        assert!(ledger.inversions.is_empty(), "the relay cannot know of 2");
        assert_eq!(ledger.stale().len(), 1, "but 2 must come again");
        ledger.applied(crm, Some("3"), Some("7"));
        assert!(ledger.stale().is_empty());
        ledger.applied(crm, Some("2"), Some("7"));
        assert_eq!(ledger.inversions.len(), 1, "3 came after the emptying");
        assert_eq!(ledger.stale().len(), 1);
    }

    #[test]
    fn a_call_that_was_under_way_when_the_memory_was_emptied_belongs_to_the_past() {
        let mut ledger = ledger(&[("1", 5), ("2", 6)]);
        let crm = Destination::Crm;
        ledger.forget(Forgotten {
            grace_seconds: 3600.0,
        });
        ledger.applied(crm, Some("2"), Some("7"));
        ledger.past_until = None;
        ledger.applied(crm, Some("1"), Some("7"));
        assert!(ledger.inversions.is_empty());
        assert_eq!(
            ledger.stale().len(),
            1,
            "the final value is judged all the same"
        );
    }

    #[test]
    fn a_change_applied_to_another_person_is_seen() {
        let mut ledger = ledger(&[("1", 5)]);
        ledger.applied(Destination::Crm, Some("1"), Some("8"));
        assert_eq!(ledger.identity_moved.len(), 1);
    }
}
