//! Three processes with different roles, scraped as one, against what the vendors and the queue say.

use std::collections::{BTreeMap, BTreeSet};

use alumniq_relay::observe::metrics::ALL;
use harness::{
    exposition::Exposition,
    redis::Redis,
    relay::{Relay, text},
    vendors::vendors_with,
    waiting::{until, until_true},
};
use sandbox::{Fault, Faults, NewChanges, Report, SandboxOptions, Vendor, VendorFaults};
use serde_json::{Value, json};

use super::{as_one, everything_is_as_defined, scrape};

const CHANGES: usize = 300;

const VENDORS: [(Vendor, &str); 3] = [
    (Vendor::Alumniq, "alumniq"),
    (Vendor::Crm, "crm"),
    (Vendor::Salsa, "salsa"),
];

/// What each vendor does to its first calls.
fn faults() -> Faults {
    use Fault::{Lost, ServerError, Throttle, Unavailable};
    let first = |next: &[Fault], operations: &[&str]| VendorFaults {
        next: next.to_vec(),
        operations: operations.iter().map(|name| (*name).to_owned()).collect(),
        retry_after: Some(1),
        ..VendorFaults::default()
    };
    Faults {
        alumniq: first(&[ServerError, Throttle], &[]),
        crm: first(&[Throttle, ServerError, Unavailable, Lost], &["update"]),
        salsa: first(&[Throttle, ServerError, Lost], &["search", "put"]),
    }
}

/// What is compared: under which name, what the metrics say, and what is so.
type Comparison = (String, f64, f64);

/// Each call that a vendor saw or that was counted, by operation and end.
fn calls(fleet: &Exposition, report: &Report) -> Vec<Comparison> {
    let mut calls: BTreeMap<[&str; 3], (f64, f64)> = BTreeMap::new();
    for sample in fleet.all("vendor_requests_total") {
        let label = |name: &str| sample.labels[name].as_str();
        let key = [label("vendor"), label("operation"), label("status")];
        calls.entry(key).or_default().0 = sample.value;
    }
    for (vendor, name) in VENDORS {
        for (operation, statuses) in report.traffic.calls.get(&vendor).into_iter().flatten() {
            for (status, count) in statuses {
                calls.entry([name, operation, status]).or_default().1 = *count as f64;
            }
        }
    }
    let calls = calls
        .into_iter()
        .map(|(key, (counted, seen))| (format!("calls {key:?}"), counted, seen));
    calls.collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

/// Everything that can be held against the vendors' own counts, the books and the letters.
fn comparisons(
    fleet: &Exposition,
    report: &Report,
    status: &Value,
    letters: &BTreeMap<String, f64>,
) -> Vec<Comparison> {
    let mut compared = calls(fleet, report);
    let sum = |name: &str, labels: &[(&str, &str)]| fleet.sum(name, labels).unwrap_or(f64::NAN);
    let mut compare = |name: &str, counted: f64, so: f64| {
        compared.push((name.to_owned(), counted, so));
    };
    for (vendor, name) in VENDORS {
        let injected = report.faults.get(&vendor);
        let throttled = injected.and_then(|faults| faults.get(&Fault::Throttle));
        compare(
            &format!("throttled {name}"),
            sum("vendor_throttled_total", &[("vendor", name)]),
            throttled.copied().unwrap_or_default() as f64,
        );
        compare(
            &format!("timed calls {name}"),
            sum("vendor_request_duration_seconds_count", &[("vendor", name)]),
            sum("vendor_requests_total", &[("vendor", name)]),
        );
    }
    let batches = |vendor, operation: &str| {
        let sizes = report.traffic.batches.get(&vendor);
        let sizes = sizes.and_then(|operations| operations.get(operation));
        let rows = sizes.into_iter().flatten();
        rows.map(|(size, calls)| *size as f64 * *calls as f64)
            .sum::<f64>()
    };
    let total = |name: &str| sum(name, &[]);
    // A fetch that ended because another process took the lead over has brought rows in vain.
    let sent = batches(Vendor::Alumniq, "fetch");
    let rows = total("changes_fetched_total");
    compare("rows", rows, rows.min(sent));
    compare(
        "known or new",
        total("changes_enqueued_total") + total("changes_duplicate_total"),
        total("changes_fetched_total"),
    );
    let told = report.acknowledged as f64;
    compare(
        "told",
        total("changes_acknowledged_total") + total("changes_discarded_total"),
        told,
    );
    compare(
        "end to end",
        total("end_to_end_seconds_count"),
        total("changes_acknowledged_total"),
    );
    for (histogram, vendor, operation) in [
        ("ack_batch_size", Vendor::Alumniq, "acknowledge"),
        ("salsa_batch_size", Vendor::Salsa, "put"),
    ] {
        let calls = report.traffic.calls_of(vendor, operation) as f64;
        compare(histogram, total(&format!("{histogram}_count")), calls);
    }
    for (entry, changes) in status["books"].as_object().unwrap() {
        match entry.as_str() {
            "difference" => compare(entry, total("books_difference"), number(changes)),
            _ => compare(entry, sum("books", &[("entry", entry)]), number(changes)),
        }
    }
    let fetched = number(&status["books"]["fetched"]);
    compare("enqueued", total("changes_enqueued_total"), fetched);
    for (destination, applied) in &report.applied {
        let name = destination.as_str();
        let here = ("destination", name);
        let jobs = |outcome| sum("jobs_total", &[here, ("outcome", outcome)]);
        compare(&format!("{name} done"), jobs("done"), *applied as f64);
        compare(&format!("{name} died"), jobs("dead"), letters[name]);
        compare(
            &format!("{name} timed"),
            sum("job_duration_seconds_count", &[here]),
            sum("jobs_total", &[here]),
        );
        let counts = &status["destinations"][name];
        for state in ["waiting", "ready", "running", "retry", "dead"] {
            let count = sum("jobs", &[here, ("state", state)]);
            compare(&format!("{name} {state}"), count, number(&counts[state]));
        }
        let dead = sum("dead_letters", &[here]);
        compare(&format!("{name} letters"), dead, number(&counts["dead"]));
        let paused = sum("destination_paused", &[here]);
        compare(&format!("{name} paused"), paused, 0.0);
        let since = sum("destination_paused_since_timestamp_seconds", &[here]);
        compare(&format!("{name} paused since"), since, 0.0);
    }
    for (role, processes) in [
        ("producer", 2.0),
        ("crm", 1.0),
        ("salsa", 2.0),
        ("acknowledger", 1.0),
        ("console", 1.0),
    ] {
        compare(role, sum("workers", &[("role", role)]), processes);
    }
    compare("leaders", total("leader"), 1.0);
    compare("redis_up", total("redis_up"), 3.0);
    compare("build_info", total("build_info"), 3.0);
    compare("fetch failed", total("last_fetch_failed"), 0.0);
    compare("key days", total("alumniq_api_key_days_remaining"), 200.0);
    compared
}

/// What is of scope fleet, but for what changes from moment to moment.
fn shared(process: &Exposition) -> BTreeSet<String> {
    let shared = [
        "jobs",
        "dead_letters",
        "books",
        "workers",
        "destination_paused",
    ];
    let samples = shared.iter().flat_map(|name| process.all(name));
    samples.map(|sample| format!("{sample:?}")).collect()
}

/// A row of nobody, with a key that nothing maps.
fn drifted() -> NewChanges {
    NewChanges {
        rows: vec![json!({ "changeId": "77001", "employer": "E", "favouriteColour": "blue" })],
        ..NewChanges::default()
    }
}

async fn idle(relay: &Relay) {
    until_true("everything is acknowledged or dead", async || {
        let books = &relay.status().await["books"];
        books["in_flight"] == 0 && books["fetched"] == CHANGES + 1
    })
    .await;
}

#[tokio::test]
async fn three_processes_scraped_as_one_count_what_the_vendors_saw() {
    let sandbox = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: 100,
        missing_in_crm: 3,
        anonymous: 2,
        faults: faults(),
        ..SandboxOptions::default()
    })
    .await;
    sandbox.add_changes(&drifted());
    let redis = Redis::start().await;
    // What is dead stays listed: the second fetch knows it already. No answer is given up on a slow machine.
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("alumniq.poll", "every 10s")
        .set("redis.response_timeout", "30s")
        .set("worker.lease", "60s");
    let fleet = [
        relay.start("producer,acknowledger").await,
        relay.start("crm,salsa").await,
        relay.start("producer,salsa,console").await,
    ];
    idle(&relay).await;
    let mut letters = BTreeMap::from([("crm".to_owned(), 0.0), ("salsa".to_owned(), 0.0)]);
    for letter in relay.dead().await {
        *letters.entry(text(&letter["destination"])).or_default() += 1.0;
    }
    let discard = ["dead", "discard", "--class", "anonymous", "--reason", "x"];
    relay.run(&discard).await.expect(0);
    idle(&relay).await;

    let mut told = String::new();
    let (processes, one) = until("the metrics are what the vendors saw", async || {
        let mut processes = Vec::new();
        for service in &fleet {
            processes.push(scrape(service).await);
        }
        let one = as_one(&processes);
        let status = relay.status().await;
        let wrong: Vec<_> = comparisons(&one, &sandbox.report(), &status, &letters)
            .into_iter()
            .filter(|(_, counted, so)| counted != so)
            .collect();
        let wrong = format!("{wrong:?}");
        if wrong != told {
            eprintln!("counted, and so: {wrong}");
            told = wrong;
        }
        let again = one.sum("changes_duplicate_total", &[]) > Some(0.0);
        let agree = processes
            .iter()
            .all(|process| shared(process) == shared(&processes[0]));
        (told == "[]" && again && agree).then_some((processes, one))
    })
    .await;
    assert_eq!(one.sum("changes_discarded_total", &[]), Some(3.0));
    let drift = [("field", "favouriteColour")];
    assert!(one.sum("unmapped_fields_total", &drift) >= Some(1.0));
    assert!(letters["crm"] > 3.0, "somebody is missing in the CRM");
    for (_, vendor) in VENDORS {
        let throttled = one.sum("vendor_throttled_total", &[("vendor", vendor)]);
        assert_eq!(throttled, Some(1.0), "{vendor}");
    }
    for process in &processes {
        assert_eq!(process.sum("fetch_interval_seconds", &[]), Some(10.0));
    }
    assert!(one.sum("oldest_unacknowledged_seconds", &[]) > Some(0.0));
    assert!(one.sum("last_successful_fetch_timestamp_seconds", &[]) > Some(1.7e9));

    // What only cron's file has is there too: no metric is defined and never seen.
    let file = relay.path("relay.prom");
    let sync = ["sync", "--metrics-file", file.to_str().unwrap()];
    relay.run(&sync).await.expect(0);
    let file = Exposition::parse(&std::fs::read_to_string(file).unwrap());
    everything_is_as_defined(&file);
    let shown: BTreeSet<&str> = one
        .kinds
        .keys()
        .chain(file.kinds.keys())
        .map(String::as_str)
        .collect();
    let defined: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(shown, defined);
    for service in fleet {
        service.stop().await;
    }
}
