//! Every metric, once. The names and labels are a fixed surface: dashboards and alerts stand on them.

use jobs::{
    destination::{Destination, Vendor},
    notice::Event,
    outcome::{DeadClass, PauseReason},
};
use queue::{defects::DefectKind, executor::Transition};

use super::definition::{Counter, Gauge, Histogram, Label, MetricDefinition, MetricKind, Scope};

/// Where changes are applied.
const DESTINATION: Label = Label::closed("destination", || {
    Destination::ALL.map(Destination::as_str).to_vec()
});

/// The same and AlumnIQ, to which the acknowledgement goes.
const ANY_DESTINATION: Label = Label::closed("destination", vendors);

/// Whom the relay calls.
const VENDOR: Label = Label::closed("vendor", vendors);

/// What followed from an attempt.
const OUTCOME: Label = Label::closed("outcome", || Transition::KINDS.to_vec());

/// Where a change waits.
const STATE: Label = Label::closed("state", || {
    vec!["waiting", "ready", "running", "retry", "dead"]
});

/// An entry of the books.
const ENTRY: Label = Label::closed("entry", || {
    vec!["fetched", "acknowledged", "discarded", "in_flight", "dead"]
});

/// A way in which the queue's data contradict themselves.
const DEFECT: Label = Label::closed("kind", || {
    DefectKind::ALL.iter().map(|kind| kind.as_str()).collect()
});

/// Why a change is dead.
const CLASS: Label = Label::closed("class", || DeadClass::ALL.map(DeadClass::as_str).to_vec());

/// Why calls are held.
const REASON: Label = Label::closed("reason", || {
    PauseReason::ALL.map(PauseReason::as_str).to_vec()
});

/// What the webhook is told of.
const EVENT: Label = Label::closed("event", || Event::ALL.map(Event::as_str).to_vec());

/// Whether the webhook took it.
const DELIVERY: Label = Label::closed("outcome", || vec!["delivered", "failed"]);

fn vendors() -> Vec<&'static str> {
    Vendor::ALL.map(Vendor::as_str).to_vec()
}

/// Calls and jobs: from a local answer to the longest total timeout.
const LATENCY: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// From fetch to acknowledgement: seconds when all is well, days when a vendor is down.
const LIFETIME: &[f64] = &[
    0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0,
];

/// Salsa admits 20 supporters a call unless its metrics endpoint says otherwise.
const SALSA_BATCH: &[f64] = &[1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 50.0, 100.0];

/// `acknowledge.max_batch` is 200 by default.
const ACK_BATCH: &[f64] = &[1.0, 5.0, 10.0, 20.0, 50.0, 100.0, 150.0, 200.0, 500.0];

/// A label whose values are open stands in the table by its name, a closed one by its constant.
macro_rules! label {
    ($name:literal) => {
        Label::open($name)
    };
    ($closed:ident) => {
        $closed
    };
}

/// Writes each definition as a constant of its kind and gathers all of them in [`ALL`], so that there
/// is no second list to keep. The doc comment is the metric's help text.
macro_rules! define {
    ($(
        $(#[doc = $help:literal])+
        $ident:ident: $kind:ident = $name:literal [$($label:tt),*] in $unit:literal, $scope:ident $(, $buckets:ident)?;
    )+) => {
        $(
            $(#[doc = $help])+
            pub(super) const $ident: $kind<{ let labels: &[Label] = &[$(label!($label)),*]; labels.len() }> =
                $kind(&MetricDefinition {
                    name: concat!("alumniq_relay_", $name),
                    kind: MetricKind::$kind,
                    unit: $unit,
                    labels: &[$(label!($label)),*],
                    scope: Scope::$scope,
                    help: concat!($($help),+).trim_ascii(),
                    buckets: { let none: &[f64] = &[]; $(let none = { let _ = none; $buckets };)? none },
                });
        )+

        /// Every metric, in the order of the documents' table.
        pub const ALL: &[&MetricDefinition] = &[$($ident.0),+];
    };
}

define! {
    /// Rows of AlumnIQ's feed that were taken in, new or known already.
    CHANGES_FETCHED: Counter = "changes_fetched_total" [] in "changes", Process;
    /// Fetched changes that were new and went into the queue.
    CHANGES_ENQUEUED: Counter = "changes_enqueued_total" [] in "changes", Process;
    /// Fetched changes that the queue already knew.
    CHANGES_DUPLICATE: Counter = "changes_duplicate_total" [] in "changes", Process;
    /// Fetched changes that AlumnIQ lists again after it accepted at least two acknowledgements of them.
    CHANGES_STILL_LISTED: Counter = "changes_still_listed_total" [] in "changes", Process;
    /// Fetched changes that the queue already knew with another content: AlumnIQ corrected the row.
    CHANGES_CORRECTED: Counter = "changes_corrected_total" [] in "changes", Process;
    /// Changes whose changeId AlumnIQ accepted as processed.
    CHANGES_ACKNOWLEDGED: Counter = "changes_acknowledged_total" [] in "changes", Process;
    /// Changes that an operator gave up with a reason, told to AlumnIQ or not.
    CHANGES_DISCARDED: Counter = "changes_discarded_total" [] in "changes", Fleet;
    /// Attempts to apply one change to one destination, by what followed: done, retry, pause, dead, release (given back unstarted) or abandon (given back under way).
    JOBS_SETTLED: Counter = "jobs_total" [DESTINATION, OUTCOME] in "attempts", Process;
    /// How long an attempt took, the vendor's calls included.
    JOB_DURATION: Histogram = "job_duration_seconds" [DESTINATION] in "seconds", Process, LATENCY;
    /// Results that the queue refused because the lease was lost: the change is attempted again.
    SETTLES_REFUSED: Counter = "settles_refused_total" [DESTINATION] in "attempts", Process;
    /// Changes in the queue by state: waiting, ready, running, retry, dead. Destination alumniq is the acknowledgement.
    JOBS: Gauge = "jobs" [ANY_DESTINATION, STATE] in "changes", Fleet;
    /// Dead letters by class.
    DEAD_LETTERS: Gauge = "dead_letters" [ANY_DESTINATION, CLASS] in "changes", Fleet;
    /// Age of the oldest fetched change that AlumnIQ was not told about, dead letters included; 0 when there is none.
    OLDEST_UNACKNOWLEDGED: Gauge = "oldest_unacknowledged_seconds" [] in "seconds", Fleet;
    /// Age of the oldest change on its way to the destination, dead letters left out; alumniq: to be acknowledged. 0 when there is none, or while an operator holds the destination.
    OLDEST_IN_FLIGHT: Gauge = "oldest_in_flight_seconds" [ANY_DESTINATION] in "seconds", Fleet;
    /// The books since the namespace began: fetched = acknowledged + discarded + in_flight + dead.
    BOOKS: Gauge = "books" [ENTRY] in "changes", Fleet;
    /// fetched - acknowledged - discarded - in flight - dead; anything but 0 is a defect.
    BOOKS_DIFFERENCE: Gauge = "books_difference" [] in "changes", Fleet;
    /// Contradictions that the leader's hourly check found in the queue's data, by kind; what it could repair, it repaired.
    QUEUE_DEFECTS: Counter = "queue_defects_total" [DEFECT] in "defects", Process;
    /// 1 while calls to the destination are held, by reason: throttled, outage, credentials, operator.
    DESTINATION_PAUSED: Gauge = "destination_paused" [ANY_DESTINATION, REASON] in "flag", Fleet;
    /// Since when calls to the destination are held, in Unix time; 0 while they are not.
    DESTINATION_PAUSED_SINCE: Gauge = "destination_paused_since_timestamp_seconds" [ANY_DESTINATION] in "seconds", Fleet;
    /// From the fetch of a change to its acknowledgement.
    END_TO_END: Histogram = "end_to_end_seconds" [] in "seconds", Process, LIFETIME;
    /// Calls to a vendor by HTTP status, or unreachable, or lost (sent, no usable answer). From 50 statuses on it is other.
    VENDOR_REQUESTS: Counter = "vendor_requests_total" ["vendor", "operation", "status"] in "calls", Process;
    /// How long a call to a vendor took.
    VENDOR_REQUEST_DURATION: Histogram = "vendor_request_duration_seconds" ["vendor", "operation"] in "seconds", Process, LATENCY;
    /// Answers that meant too many calls, whatever their HTTP status.
    VENDOR_THROTTLED: Counter = "vendor_throttled_total" [VENDOR] in "calls", Process;
    /// Supporters sent in one call to Salsa.
    SALSA_BATCH_SIZE: Histogram = "salsa_batch_size" [] in "supporters", Process, SALSA_BATCH;
    /// changeIds sent in one PUT to AlumnIQ.
    ACK_BATCH_SIZE: Histogram = "ack_batch_size" [] in "changes", Process, ACK_BATCH;
    /// 1 when Redis answered the last time this process asked. While it is 0 the metrics of scope fleet are absent: nobody can read them.
    REDIS_UP: Gauge = "redis_up" [] in "flag", Process;
    /// Redis' used memory over its maxmemory, 0 where it has none; above 1 nothing new is taken in.
    REDIS_MEMORY: Gauge = "redis_memory_used_ratio" [] in "ratio", Fleet;
    /// 1 in the process that holds the producer's lease, 0 in the others with the role; absent in the rest.
    LEADER: Gauge = "leader" [] in "flag", Process;
    /// Living processes that run the role: producer, crm, salsa, acknowledger, console.
    WORKERS: Gauge = "workers" ["role"] in "processes", Fleet;
    /// Days until the AlumnIQ API key expires, as AlumnIQ's last answer said; absent before one.
    API_KEY_DAYS_REMAINING: Gauge = "alumniq_api_key_days_remaining" [] in "days", Fleet;
    /// When AlumnIQ's feed was last fetched in full, in Unix time: the begin of that fetch; 0 while there was none.
    LAST_SUCCESSFUL_FETCH: Gauge = "last_successful_fetch_timestamp_seconds" [] in "seconds", Fleet;
    /// 1 while the last fetch by schedule failed.
    LAST_FETCH_FAILED: Gauge = "last_fetch_failed" [] in "flag", Fleet;
    /// The longest time between two fetches by alumniq.poll; absent from the file of sync, whose schedule is cron's.
    FETCH_INTERVAL: Gauge = "fetch_interval_seconds" [] in "seconds", Process;
    /// When the last sync with --metrics-file ended, in Unix time; only in its file.
    LAST_SYNC: Gauge = "last_sync_timestamp_seconds" [] in "seconds", Process;
    /// Its exit code: 0 good, 1 failed, 2 wrong usage or configuration, 3 something needs a person, 130 or 143 ended by a signal; only in its file.
    LAST_SYNC_EXIT_CODE: Gauge = "last_sync_exit_code" [] in "code", Process;
    /// Attempts on rows with a key that nothing maps: the school's schema has drifted. From 100 keys on, and for odd names, the field is other.
    UNMAPPED_FIELDS: Counter = "unmapped_fields_total" ["field"] in "attempts", Process;
    /// Attempts to tell the webhook of a change of state, by what happened and whether it was taken: delivered, failed.
    NOTIFICATIONS: Counter = "notifications_total" [EVENT, DELIVERY] in "attempts", Process;
    /// Lines of the log that were dropped because nobody read stderr fast enough.
    LOG_LINES_DROPPED: Counter = "log_lines_dropped_total" [] in "lines", Process;
    /// Always 1; the label carries the version.
    BUILD_INFO: Gauge = "build_info" ["version"] in "flag", Process;
}
