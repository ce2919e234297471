//! The recording functions: one per event, typed, so that no caller ever spells a name or a label.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jobs::{
    destination::{Destination, Vendor},
    notice::Event,
};
use queue::defects::DefectKind;

use super::names;
use crate::exit::Exit;

/// What stands for every label value beyond those that are told apart.
const OTHER: &str = "other";

/// How many different statuses `vendor_requests_total` tells apart: a vendor answers with what it likes.
const MAX_STATUS_LABELS: usize = 50;

/// How many different keys `unmapped_fields_total` tells apart: each is a time series for good.
const MAX_FIELD_LABELS: usize = 100;

/// Rows came from AlumnIQ's feed.
pub fn changes_fetched(count: u64) {
    names::CHANGES_FETCHED.add([], count);
}

/// New changes went into the queue.
pub fn changes_enqueued(count: u64) {
    names::CHANGES_ENQUEUED.add([], count);
}

/// Fetched changes were already known.
pub fn changes_duplicate(count: u64) {
    names::CHANGES_DUPLICATE.add([], count);
}

/// AlumnIQ lists changes again that it was told of at least twice.
pub fn changes_still_listed(count: u64) {
    names::CHANGES_STILL_LISTED.add([], count);
}

/// AlumnIQ corrected rows that were fetched before.
pub fn changes_corrected(count: u64) {
    names::CHANGES_CORRECTED.add([], count);
}

/// AlumnIQ accepted changeIds as processed.
pub fn changes_acknowledged(count: u64) {
    names::CHANGES_ACKNOWLEDGED.add([], count);
}

/// An attempt ended after `duration` with `outcome`: `done`, `retry`, `pause`, `dead`, `release` or `abandon`.
pub fn job_settled(destination: Destination, outcome: &'static str, duration: Duration) {
    names::JOBS_SETTLED.add([destination.as_str(), outcome], 1);
    names::JOB_DURATION.observe([destination.as_str()], duration.as_secs_f64());
}

/// The queue refused `count` results because their leases were lost.
pub fn settles_refused(destination: Destination, count: u64) {
    names::SETTLES_REFUSED.add([destination.as_str()], count);
}

/// A change was acknowledged `elapsed` after its fetch.
pub fn end_to_end(elapsed: Duration) {
    names::END_TO_END.observe([], elapsed.as_secs_f64());
}

/// A call to a vendor ended. `status` is the HTTP status, `unreachable` or `lost`.
pub fn vendor_request(vendor: &str, operation: &str, status: &str, duration: Duration) {
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let status = bounded(&mut seen, MAX_STATUS_LABELS, status);
    names::VENDOR_REQUESTS.add([vendor, operation, status], 1);
    names::VENDOR_REQUEST_DURATION.observe([vendor, operation], duration.as_secs_f64());
}

/// A vendor answered that there were too many calls.
pub fn vendor_throttled(vendor: Vendor) {
    names::VENDOR_THROTTLED.add([vendor.as_str()], 1);
}

/// A call to Salsa carried `supporters`.
pub fn salsa_batch(supporters: usize) {
    names::SALSA_BATCH_SIZE.observe([], size(supporters));
}

/// A PUT to AlumnIQ carried `change_ids`.
pub fn ack_batch(change_ids: usize) {
    names::ACK_BATCH_SIZE.observe([], size(change_ids));
}

/// Redis answered, or did not.
pub fn redis_up(up: bool) {
    names::REDIS_UP.set_flag([], up);
}

/// This process holds the producer's lease, or no longer does.
pub fn leader(leads: bool) {
    names::LEADER.set_flag([], leads);
}

/// At most so long apart `alumniq.poll` lets two fetches be.
pub fn fetch_interval(longest: Duration) {
    names::FETCH_INTERVAL.set([], longest.as_secs_f64());
}

/// The leader found so many contradictions of a kind in the queue's data.
pub fn queue_defects(kind: DefectKind, count: u64) {
    names::QUEUE_DEFECTS.add([kind.as_str()], count);
}

/// `sync` ended so.
pub fn sync_ended(at: jiff::Timestamp, exit: Exit) {
    names::LAST_SYNC.set([], at.as_duration().as_secs_f64());
    names::LAST_SYNC_EXIT_CODE.set_count([], exit.code().into());
}

/// The webhook was told of `event` and took it, or is to be told again.
pub fn notification(event: Event, delivered: bool) {
    let outcome = if delivered { "delivered" } else { "failed" };
    names::NOTIFICATIONS.add([event.as_str(), outcome], 1);
}

/// A line of the log was dropped: stderr's reader is too slow, or stuck.
pub fn log_line_dropped() {
    names::LOG_LINES_DROPPED.add([], 1);
}

/// A row had the key `field`, which nothing maps.
pub fn unmapped_field(field: &str) {
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    names::UNMAPPED_FIELDS.add([field_label(&mut seen, field)], 1);
}

/// The label for a row's key. Keys come from outside: a key that is no plain name might hold a person's
/// data, and without a bound each odd row would leave a time series behind.
pub(super) fn field_label<'a>(seen: &mut BTreeSet<String>, field: &'a str) -> &'a str {
    let plain = (1..=64).contains(&field.len())
        && field
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !field.bytes().all(|byte| byte.is_ascii_digit());
    match plain {
        true => bounded(seen, MAX_FIELD_LABELS, field),
        false => OTHER,
    }
}

/// `value`, unless `most` others were seen before it.
pub(super) fn bounded<'a>(seen: &mut BTreeSet<String>, most: usize, value: &'a str) -> &'a str {
    if !seen.contains(value) {
        if seen.len() >= most {
            return OTHER;
        }
        seen.insert(value.to_owned());
    }
    value
}

#[expect(clippy::cast_precision_loss, reason = "batches are small")]
fn size(count: usize) -> f64 {
    count as f64
}
