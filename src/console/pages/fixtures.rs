//! What the pages' tests show.

use std::collections::BTreeMap;

use jobs::{
    destination::{Destination, Vendor},
    outcome::PauseReason,
};
use serde_json::json;

use crate::queue::{
    room::Memory,
    stats::{Books, DestinationStatus, Pause, ProducerStatus, Status},
};

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
        refused_settles: 0,
        producer: ProducerStatus {
            leader: Some("relay-0".to_owned()),
            last_success: Some("2026-11-22T02:00:00.000Z".to_owned()),
            last_success_timestamp_seconds: Some(1_795_312_800.0),
            last_sweep_timestamp_seconds: Some(1_795_312_800.0),
            error: None,
            key_days: Some(211),
        },
        workers: BTreeMap::from([("relay-0".to_owned(), everyone)]),
        memory: Memory::default(),
        rates: BTreeMap::new(),
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

/// A busy evening: the CRM is down, some letters need a person.
pub fn busy() -> Status {
    use jobs::outcome::DeadClass::{Stale, Unmatched, Validation};
    let mut status = status();
    status.books = Books {
        fetched: 1_842,
        acknowledged: 1_694,
        discarded: 0,
        in_flight: 136,
        dead: 12,
        difference: 0,
    };
    let counts = |waiting, ready, running, retry, dead| DestinationStatus {
        waiting,
        ready,
        running,
        retry,
        dead,
        applied: 0,
        paused: false,
    };
    status.destinations = BTreeMap::from([
        (
            Destination::Crm,
            DestinationStatus {
                paused: true,
                ..counts(31, 96, 0, 9, 8)
            },
        ),
        (Destination::Salsa, counts(0, 20, 20, 0, 4)),
    ]);
    status.dead_letters = BTreeMap::from([
        (Vendor::Crm, BTreeMap::from([(Unmatched, 7), (Stale, 1)])),
        (Vendor::Salsa, BTreeMap::from([(Validation, 4)])),
    ]);
    let down = pause(PauseReason::Outage, "the CRM is down (503)", Some(42.0));
    status.pauses.insert(Vendor::Crm, down);
    status.oldest_unacknowledged_seconds = 250.0;
    status
}
