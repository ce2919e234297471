//! The unprocessed changes, by the three ways in which they can be asked for.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use jiff::civil::Date;

use crate::{data::PublishedChange, seeded::mix};

/// Most rows of an answer to `changedSinceDate`.
const SINCE_CAP: usize = 500;

/// The one filter of a GET.
#[derive(Debug)]
pub(super) enum FetchFilter {
    On(Date),
    Since(Date),
    Xid(String),
}

/// AlumnIQ's table of changes. Unprocessed ones are ranked at random but fixed: a capped GET
/// returns neither the oldest nor the newest, and the same ones again until they are processed.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    changes: Vec<PublishedChange>,
    unprocessed: BTreeMap<u64, usize>,
    by_date: HashMap<Date, Vec<usize>>,
    by_xid: HashMap<String, Vec<usize>>,
    by_id: HashMap<String, Vec<usize>>,
}

fn rank(index: usize) -> u64 {
    mix(u64::try_from(index).unwrap_or(u64::MAX))
}

impl Feed {
    pub(crate) fn publish(&mut self, change: PublishedChange) {
        let index = self.changes.len();
        self.unprocessed.insert(rank(index), index);
        self.by_date.entry(change.date).or_default().push(index);
        if let Some(xid) = &change.xid {
            self.by_xid.entry(xid.clone()).or_default().push(index);
        }
        self.by_id.entry(change.id.clone()).or_default().push(index);
        self.changes.push(change);
    }

    pub(super) fn select(&self, filter: &FetchFilter) -> Vec<usize> {
        let open = |found: Option<&Vec<usize>>| -> Vec<usize> {
            let found = found.into_iter().flatten().copied();
            found
                .filter(|index| self.unprocessed.contains_key(&rank(*index)))
                .collect()
        };
        match filter {
            FetchFilter::On(date) => {
                let mut found = open(self.by_date.get(date));
                found.sort_unstable_by_key(|index| rank(*index));
                found
            }
            FetchFilter::Since(date) => {
                let found = self.unprocessed.values().copied();
                let recent = found.filter(|&index| self.changes[index].date >= *date);
                recent.take(SINCE_CAP).collect()
            }
            FetchFilter::Xid(xid) => {
                let mut found = open(self.by_xid.get(xid));
                found.sort_by_key(|&index| {
                    std::cmp::Reverse((self.changes[index].at_millis, index))
                });
                found
            }
        }
    }

    pub(super) fn rows(&self, selected: &[usize]) -> Bytes {
        let rows: Vec<_> = selected
            .iter()
            .map(|&index| &self.changes[index].row[..])
            .collect();
        let mut body = Vec::with_capacity(selected.len() * 512 + 2);
        body.push(b'[');
        body.extend_from_slice(&rows.join(&b','));
        body.push(b']');
        body.into()
    }

    pub(super) fn id(&self, index: usize) -> &str {
        &self.changes[index].id
    }

    pub(super) fn knows(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    pub(super) fn process(&mut self, index: usize) {
        self.unprocessed.remove(&rank(index));
    }

    pub(crate) fn process_id(&mut self, id: &str) {
        for index in self.by_id.get(id).cloned().unwrap_or_default() {
            self.process(index);
        }
    }

    /// The reverse.
    pub(crate) fn unprocess_id(&mut self, id: &str) {
        for index in self.by_id.get(id).into_iter().flatten() {
            self.unprocessed.insert(rank(*index), *index);
        }
    }

    /// Puts the corrected rows in place; returns their changeIds.
    pub(crate) fn correct(&mut self) -> Vec<String> {
        let mut corrected = Vec::new();
        for change in &mut self.changes {
            if let Some(row) = change.corrected.take() {
                change.row = row;
                corrected.push(change.id.clone());
            }
        }
        corrected
    }

    pub(crate) fn unprocessed(&self) -> usize {
        self.unprocessed.len()
    }

    /// The row of a changeId as it is in the feed now, and whether it is processed.
    pub(crate) fn row_of(&self, id: &str) -> Option<(&Bytes, bool)> {
        let index = *self.by_id.get(id)?.first()?;
        let processed = !self.unprocessed.contains_key(&rank(index));
        Some((&self.changes[index].row, processed))
    }
}
