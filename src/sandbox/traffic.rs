//! Counts of all calls, for tests that need them exact.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jobs::destination::Vendor;
use serde::{Deserialize, Serialize};

use super::{faults::Fault, operation::Operation};

/// How a call ended for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CallEnd {
    Answered(u16),
    Unanswered(Fault),
}

/// How many calls' names are remembered: of the newest.
const REQUEST_IDS: usize = 10_000;

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    ended: HashMap<(Operation, CallEnd), u64>,
    batches: BTreeMap<(Vendor, &'static str), BTreeMap<usize, u64>>,
    request_ids: VecDeque<(Vendor, String)>,
    pub(super) throttled: u64,
    pub(super) oversized: u64,
    pub(super) writes: u64,
    pub(super) changes_in_lost_answers: u64,
}

/// Calls by vendor, operation and status (`200`, or a fault's name where no whole answer went back).
pub type CallCounts = BTreeMap<Vendor, BTreeMap<String, BTreeMap<String, u64>>>;
/// How many calls carried how many items, by vendor and operation.
pub type Batches = BTreeMap<Vendor, BTreeMap<String, BTreeMap<usize, u64>>>;

/// The counters of traffic, as the report has them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrafficReport {
    /// Calls by vendor, operation and status.
    pub calls: CallCounts,
    /// Sizes of batches by vendor and operation: size to number of calls.
    pub batches: Batches,
    /// Salsa calls refused because the rate limit was really exceeded (injected 429 are not counted).
    pub throttled: u64,
    /// Salsa calls refused because the batch was too large.
    pub oversized: u64,
    /// Calls that were handled and whose answer did not arrive whole.
    pub lost_answers: u64,
    /// Changes that those calls carried to a destination: each may be applied again.
    pub changes_in_lost_answers: u64,
    /// Calls seen whose operation can change something, whatever became of them.
    pub writes: u64,
}

impl Traffic {
    /// `request_id`: what the caller calls this call.
    pub(super) fn arrived(&mut self, operation: Operation, request_id: Option<&str>) {
        self.writes += u64::from(operation.writes());
        let id = request_id.unwrap_or_default().to_owned();
        self.request_ids.push_back((operation.vendor(), id));
        if self.request_ids.len() > REQUEST_IDS {
            self.request_ids.pop_front();
        }
    }

    pub(super) fn request_ids(&self) -> Vec<(Vendor, String)> {
        self.request_ids.iter().cloned().collect()
    }

    pub(super) fn ended(&mut self, operation: Operation, ended: CallEnd) {
        *self.ended.entry((operation, ended)).or_default() += 1;
    }

    pub(super) fn batch(&mut self, operation: Operation, size: usize) {
        let key = (operation.vendor(), operation.as_str());
        *self
            .batches
            .entry(key)
            .or_default()
            .entry(size)
            .or_default() += 1;
    }

    pub(super) fn report(&self) -> TrafficReport {
        let mut report = TrafficReport {
            throttled: self.throttled,
            oversized: self.oversized,
            writes: self.writes,
            changes_in_lost_answers: self.changes_in_lost_answers,
            ..TrafficReport::default()
        };
        for ((operation, ended), count) in &self.ended {
            let status = match ended {
                CallEnd::Answered(status) => status.to_string(),
                CallEnd::Unanswered(fault) => fault.as_str().to_owned(),
            };
            if matches!(ended, CallEnd::Unanswered(Fault::Lost | Fault::Truncate)) {
                report.lost_answers += count;
            }
            let operations = report.calls.entry(operation.vendor()).or_default();
            let statuses = operations.entry(operation.as_str().to_owned()).or_default();
            *statuses.entry(status).or_default() += count;
        }
        for ((vendor, operation), sizes) in &self.batches {
            let operations = report.batches.entry(*vendor).or_default();
            operations.insert((*operation).to_owned(), sizes.clone());
        }
        report
    }
}

impl TrafficReport {
    /// All calls of one operation, however they ended.
    pub fn calls_of(&self, vendor: Vendor, operation: &str) -> u64 {
        let operations = self.calls.get(&vendor);
        let statuses = operations.and_then(|operations| operations.get(operation));
        statuses.map_or(0, |statuses| statuses.values().sum())
    }
}
