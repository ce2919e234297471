//! What the pages' tests show.

use std::collections::BTreeMap;

use jobs::{destination::Destination, outcome::PauseReason};
use queue::{
    room::Memory,
    stats::{Books, DestinationStatus, Pause, ProducerStatus, Status},
};
use serde_json::json;

/// Everything in order, nothing on the way, one process with every role.
pub fn status() -> Status {
    let everyone = json!({
        "roles": ["producer", "crm", "salsa", "acknowledger", "console"],
        "silent_seconds": 1.2,
    });
    Status {
        books: Books {
            fetched: 0,
            acknowledged: 0,
            discarded: 0,
            in_flight: 0,
            dead: 0,
            difference: 0,
        },
        destinations: Destination::ALL
            .map(|destination| (destination, DestinationStatus::default()))
            .into(),
        dead_letters: BTreeMap::new(),
        pauses: BTreeMap::new(),
        to_acknowledge: 0,
        acknowledging: 0,
        oldest_unacknowledged_seconds: 0.0,
        oldest_in_flight_seconds: BTreeMap::new(),
        refused_settles: 0,
        producer: ProducerStatus {
            leader: Some("relay-0".to_owned()),
            last_success: Some("2026-11-22T02:00:00.000Z".to_owned()),
            last_success_timestamp_seconds: Some(1_795_312_800.0),
            last_sweep_timestamp_seconds: Some(1_795_312_800.0),
            rolled_back_since: None,
            error: None,
            key_days: Some(211),
        },
        workers: BTreeMap::from([("relay-0".to_owned(), everyone)]),
        memory: Memory::default(),
        last_check: None,
        rates: BTreeMap::new(),
        writes_refused: None,
    }
}

/// A shut gate.
pub fn pause(reason: PauseReason, cause: &str, left: Option<f64>) -> Pause {
    Pause {
        reason,
        cause: cause.to_owned(),
        since: "2026-11-22T08:00:00.000Z".to_owned(),
        since_timestamp_seconds: 1_795_334_400.0,
        seconds_left: left,
    }
}
