use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use jobs::{
    destination::{Destination, Vendor},
    notice::Event,
    outcome::{DeadClass, PauseReason},
};
use proptest::prelude::*;
use queue::defects::DefectKind;

use super::{snapshot::Growth, *};
use crate::exit::Exit;

/// One line of a text exposition: name, labels, value.
type Sample = (String, BTreeMap<String, String>, f64);

/// The exposition after `record` and a look at the queue, without the label that every series has.
fn scrape_with(record: impl FnOnce(), seen: &[QueueSnapshot]) -> String {
    let (exposition, recorder) = Exposition::new("north");
    ::metrics::with_local_recorder(&recorder, || {
        exposition.start();
        record();
        for snapshot in seen {
            exposition.publish(snapshot, Instant::now());
        }
    });
    exposition.render()
}

fn scrape(record: impl FnOnce()) -> String {
    scrape_with(record, &[])
}

/// The types, and the samples but for the label `namespace`, which each must have.
fn read_north(text: &str) -> (BTreeMap<String, String>, Vec<Sample>) {
    let read = harness::exposition::Exposition::parse(text);
    let (kinds, samples) = (read.kinds, read.samples);
    let samples = samples.into_iter().map(|mut sample| {
        let namespace = sample.labels.remove("namespace");
        assert_eq!(namespace.as_deref(), Some("north"), "{sample:?}");
        (sample.name, sample.labels, sample.value)
    });
    (kinds, samples.collect())
}

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels = labels
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    samples
        .iter()
        .find(|(n, l, _)| n == name && *l == labels)
        .unwrap_or_else(|| panic!("no {name} {labels:?}"))
        .2
}

fn record_everything() {
    let second = Duration::from_secs(1);
    changes_fetched(5);
    changes_enqueued(3);
    changes_duplicate(2);
    changes_corrected(1);
    changes_acknowledged(1);
    job_settled(Destination::Crm, "done", second);
    settles_refused(Destination::Crm, 1);
    end_to_end(second);
    vendor_request("crm", "updatecontact", "200", second);
    vendor_throttled(Vendor::Salsa);
    salsa_batch(20);
    ack_batch(200);
    redis_up(true);
    leader(true);
    fetch_interval(second);
    sync_ended(jiff::Timestamp::UNIX_EPOCH, Exit::NeedsAPerson);
    unmapped_field("favouriteColour");
    notification(Event::BooksOff, true);
    queue_defects(DefectKind::Lane, 1);
}

fn queue() -> QueueSnapshot {
    QueueSnapshot {
        workers: BTreeMap::from([("crm", 2)]),
        key_days: Some(300),
        last_successful_fetch: Some(1.0),
        ..QueueSnapshot::default()
    }
}

#[test]
fn every_metric_is_in_the_scrape_with_its_type_and_labels_once_recorded() {
    let (types, samples) = read_north(&scrape_with(record_everything, &[queue()]));
    let expected: BTreeMap<_, _> = ALL
        .iter()
        .map(|metric| {
            (
                metric.name.to_owned(),
                format!("{:?}", metric.kind).to_lowercase(),
            )
        })
        .collect();
    assert_eq!(types, expected);
    for metric in ALL {
        let name = match metric.kind {
            MetricKind::Histogram => format!("{}_count", metric.name),
            _ => metric.name.to_owned(),
        };
        let labels: BTreeSet<_> = metric
            .labels
            .iter()
            .map(|label| label.name.to_owned())
            .collect();
        let mut found = samples.iter().filter(|(n, ..)| *n == name).peekable();
        assert!(found.peek().is_some(), "{name} was not recorded");
        assert!(
            found.all(|(_, l, _)| l.keys().cloned().collect::<BTreeSet<_>>() == labels),
            "{name}"
        );
    }
    assert_eq!(
        value(&samples, "alumniq_relay_changes_fetched_total", &[]),
        5.0
    );
    assert_eq!(
        value(
            &samples,
            "alumniq_relay_last_successful_fetch_timestamp_seconds",
            &[]
        ),
        1.0
    );
    assert_eq!(value(&samples, "alumniq_relay_redis_up", &[]), 1.0);
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(value(&samples, "alumniq_relay_build_info", &version), 1.0);
}

#[test]
fn names_follow_the_conventions_of_prometheus() {
    let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), ALL.len(), "a name is there twice");
    for MetricDefinition {
        name,
        kind,
        unit,
        help,
        buckets,
        ..
    } in ALL
    {
        assert!(name.starts_with("alumniq_relay_"), "{name}");
        let is = |expected| *kind == expected;
        assert_eq!(name.ends_with("_total"), is(MetricKind::Counter), "{name}");
        assert_eq!(name.ends_with("_seconds"), *unit == "seconds", "{name}");
        assert_eq!(!buckets.is_empty(), is(MetricKind::Histogram), "{name}");
        assert!(buckets.is_sorted_by(|a, b| 0.0 < *a && a < b), "{name}");
        assert!(help.ends_with('.'), "{name}");
        assert!(!help.contains(['|', '\n', '\\']), "{name}");
    }
}

#[test]
fn an_observation_falls_into_every_bucket_from_its_own_up() {
    let (_, samples) = read_north(&scrape(|| {
        for supporters in [1, 20, 1_000] {
            salsa_batch(supporters);
        }
    }));
    let bucket = |le| {
        value(
            &samples,
            "alumniq_relay_salsa_batch_size_bucket",
            &[("le", le)],
        )
    };
    assert_eq!(
        [bucket("1"), bucket("15"), bucket("20"), bucket("+Inf")],
        [1.0, 1.0, 2.0, 3.0]
    );
    assert_eq!(
        value(&samples, "alumniq_relay_salsa_batch_size_sum", &[]),
        1_021.0
    );
}

#[test]
fn what_is_counted_starts_at_zero_wherever_its_labels_are_known() {
    let (_, samples) = read_north(&scrape(|| {}));
    for (name, labels) in [
        ("changes_acknowledged_total", &[][..]),
        (
            "jobs_total",
            &[("destination", "salsa"), ("outcome", "dead")],
        ),
        ("settles_refused_total", &[("destination", "crm")]),
        ("vendor_throttled_total", &[("vendor", "alumniq")]),
        ("job_duration_seconds_count", &[("destination", "crm")]),
        ("end_to_end_seconds_sum", &[]),
    ] {
        let name = format!("alumniq_relay_{name}");
        assert_eq!(value(&samples, &name, labels), 0.0);
    }
}

#[test]
fn each_outcome_has_its_label() {
    let outcomes = ["done", "retry", "pause", "dead", "release", "abandon"];
    let (_, samples) = read_north(&scrape(|| {
        for outcome in outcomes {
            job_settled(Destination::Salsa, outcome, Duration::ZERO);
        }
    }));
    for label in outcomes {
        let labels = [("destination", "salsa"), ("outcome", label)];
        assert_eq!(value(&samples, "alumniq_relay_jobs_total", &labels), 1.0);
    }
}

/// A gauge's name, labels and value.
type Series = (&'static str, &'static [(&'static str, &'static str)], f64);

#[test]
fn a_count_that_vanishes_from_the_queue_falls_to_zero() {
    let crm = DestinationSnapshot {
        waiting: 7,
        dead: BTreeMap::from([(DeadClass::Unmatched, 2), (DeadClass::Stale, 1)]),
        paused: Some((PauseReason::Throttled, 1_700_000_000.5)),
        ..DestinationSnapshot::default()
    };
    let full = QueueSnapshot {
        destinations: BTreeMap::from([(Vendor::Crm, crm)]),
        oldest_unacknowledged: Some(Duration::from_secs(90)),
        oldest_in_flight: BTreeMap::from([(Vendor::Crm, 60.0)]),
        books: BooksSnapshot {
            in_flight: 9,
            difference: -4,
            ..BooksSnapshot::default()
        },
        redis_memory: 0.5,
        last_fetch_failed: true,
        ..queue()
    };
    let empty = QueueSnapshot {
        workers: BTreeMap::from([("crm", 0)]),
        key_days: Some(0),
        ..QueueSnapshot::default()
    };
    let series: [Series; 14] = [
        ("jobs", &[("destination", "crm"), ("state", "waiting")], 7.0),
        ("jobs", &[("destination", "crm"), ("state", "dead")], 3.0),
        (
            "dead_letters",
            &[("destination", "crm"), ("class", "unmatched")],
            2.0,
        ),
        (
            "destination_paused",
            &[("destination", "crm"), ("reason", "throttled")],
            1.0,
        ),
        (
            "destination_paused_since_timestamp_seconds",
            &[("destination", "crm")],
            1_700_000_000.5,
        ),
        ("oldest_unacknowledged_seconds", &[], 90.0),
        ("oldest_in_flight_seconds", &[("destination", "crm")], 60.0),
        ("books", &[("entry", "in_flight")], 9.0),
        ("books_difference", &[], -4.0),
        ("redis_memory_used_ratio", &[], 0.5),
        ("workers", &[("role", "crm")], 2.0),
        ("last_successful_fetch_timestamp_seconds", &[], 1.0),
        ("last_fetch_failed", &[], 1.0),
        ("alumniq_api_key_days_remaining", &[], 300.0),
    ];
    let (_, before) = read_north(&scrape_with(|| {}, std::slice::from_ref(&full)));
    let (_, after) = read_north(&scrape_with(|| {}, &[full, empty]));
    assert_eq!(
        before.len(),
        after.len(),
        "the set of series does not depend on the queue"
    );
    for (name, labels, expected) in series {
        let name = format!("alumniq_relay_{name}");
        assert_eq!(value(&before, &name, labels), expected, "{name} {labels:?}");
        assert_eq!(value(&after, &name, labels), 0.0, "{name} {labels:?}");
    }
}

#[test]
fn what_was_read_of_the_queue_is_not_shown_once_it_is_old() {
    let (exposition, recorder) = Exposition::new("north");
    ::metrics::with_local_recorder(&recorder, || exposition.start());
    let metrics_at = |now| read_north(&exposition.render_at(now)).0;
    let start = Instant::now();
    let process = metrics_at(start);
    assert!(
        !process.contains_key("alumniq_relay_books"),
        "nobody looked"
    );
    exposition.publish(&queue(), start + Duration::from_secs(5));
    let both = metrics_at(start + Duration::from_secs(15));
    let fleet: BTreeSet<_> = ALL
        .iter()
        .filter(|metric| metric.scope == Scope::Fleet)
        .map(|metric| metric.name.to_owned())
        .collect();
    let shown: BTreeSet<_> = both
        .into_keys()
        .filter(|name| !process.contains_key(name))
        .collect();
    assert_eq!(shown, fleet);
    let later = start + Duration::from_millis(15_001);
    assert_eq!(metrics_at(later), process);
    exposition.publish(&queue(), later + Duration::from_secs(15));
    assert_ne!(metrics_at(later), process, "it was read again");
}

#[test]
fn what_nobody_knows_yet_has_no_series() {
    let (types, samples) = read_north(&scrape_with(|| {}, &[QueueSnapshot::default()]));
    assert!(!types.contains_key("alumniq_relay_alumniq_api_key_days_remaining"));
    let never = "alumniq_relay_last_successful_fetch_timestamp_seconds";
    assert_eq!(value(&samples, never, &[]), 0.0);
}

#[test]
fn discards_are_counted_on_when_redis_was_emptied() {
    let mut discarded = Growth::default();
    let totals = [3, 3, 5, 0, 2, 2, 7].map(|count| discarded.of(count));
    assert_eq!(totals, [3, 3, 5, 5, 7, 7, 12]);
    let mut emptied_unseen = Growth::default();
    assert_eq!([5, 2].map(|count| emptied_unseen.of(count)), [5, 7]);
}

#[test]
fn a_key_that_is_no_plain_name_is_no_label() {
    let long = "x".repeat(65);
    for field in [
        "ada@example.org",
        "",
        "5551234",
        "Ada Lovelace",
        "größe",
        &long,
    ] {
        assert_eq!(record::field_label(&mut BTreeSet::new(), field), "other");
    }
    assert_eq!(
        record::field_label(&mut BTreeSet::new(), "dept_2"),
        "dept_2"
    );
}

#[test]
fn the_labels_for_unmapped_fields_are_bounded() {
    let mut seen = BTreeSet::new();
    let labels: BTreeSet<String> = (0..1_000)
        .map(|n| format!("field{n}"))
        .map(|field| record::field_label(&mut seen, &field).to_owned())
        .collect();
    assert_eq!(labels.len(), 101);
    assert_eq!(
        record::field_label(&mut seen, "field0"),
        "field0",
        "a known one stays"
    );
}

#[test]
fn the_labels_for_statuses_are_bounded() {
    let mut seen = BTreeSet::new();
    let labels: BTreeSet<String> = (100..1_000)
        .map(|status| record::bounded(&mut seen, 50, &status.to_string()).to_owned())
        .collect();
    assert_eq!(labels.len(), 51);
    assert!(labels.contains("100") && labels.contains("other"));
}

proptest! {
    #[test]
    fn no_recorded_text_breaks_the_scrape(text in any::<String>()) {
        let text = scrape(|| {
            unmapped_field(&text);
            vendor_request(&text, &text, &text, Duration::ZERO);
        });
        read_north(&text);
    }
}

#[test]
fn the_documents_list_every_metric_as_the_code_defines_it() {
    let document = include_str!("../../../deploy/README.md");
    if let Err(error) = crate::documented::check(document, "metrics", table::table()) {
        panic!("{error}");
    }
}
