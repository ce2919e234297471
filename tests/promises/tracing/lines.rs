//! One log line a change, at `debug` one a step, with the same fields everywhere.

use std::collections::{BTreeMap, BTreeSet};

use harness::{
    redis::Redis,
    relay::{Relay, text},
    vendors::{acknowledged, down, every_promise_held, vendors, vendors_with},
    waiting::until_true,
};
use sandbox::{Fault, Faults, SandboxOptions, VendorFaults};
use serde_json::Value;

/// The lines about single changes, by change, in order; not those about single calls.
fn by_change<'a>(logs: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Vec<Value>> {
    let mut changes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in logs.into_iter().flat_map(str::lines) {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        if line["target"] == "alumniq_relay::change" && line["message"] != "called" {
            let id = text(&line["change_id"]);
            changes.entry(id).or_default().push(line);
        }
    }
    changes
}

/// `applied crm` and so on, in order.
fn told(lines: &[Value]) -> Vec<String> {
    let words = |line: &Value| match line["destination"].as_str() {
        Some(destination) => format!("{} {destination}", text(&line["message"])),
        None => text(&line["message"]),
    };
    lines.iter().map(words).collect()
}

#[tokio::test]
async fn each_change_of_a_run_has_exactly_the_lines_of_its_way() {
    const CHANGES: usize = 40;
    let sandbox = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: 40,
        missing_in_crm: 3,
        undecodable: 2,
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let json = ["--log-format", "json"];
    let wait = [&json[..], &["-v", "sync", "--wait"]].concat();
    let sync = relay.run(&wait).await;
    let synced = by_change([sync.expect(3).stderr.as_str()]);
    let dead: BTreeMap<String, String> = relay
        .dead()
        .await
        .iter()
        .map(|letter| (text(&letter["change_id"]), text(&letter["class"])))
        .collect();
    assert_eq!(synced.len(), CHANGES, "{synced:?}");
    let received: BTreeSet<String> = sandbox
        .request_ids()
        .into_iter()
        .map(|(_, id)| id)
        .collect();
    for (id, lines) in &synced {
        // The two destinations work side by side.
        let (first, rest, last): (&str, &[&str], &[&str]) = match dead.get(id).map(String::as_str) {
            None => (
                "enqueued",
                &["applied crm", "applied salsa"],
                &["acknowledged alumniq"],
            ),
            Some("unmatched") => ("enqueued", &["applied salsa", "dead letter crm"], &[]),
            Some("undecodable") => ("dead letter", &[], &[]),
            Some(other) => panic!("{other}"),
        };
        let mut told = told(lines);
        let middle = 1..told.len() - last.len();
        told[middle].sort();
        assert_eq!(told, [&[first], rest, last].concat(), "{lines:#?}");
        for line in lines {
            let is_attempt = matches!(line["destination"].as_str(), Some("crm" | "salsa"));
            assert_eq!(line["attempt"] == 1, is_attempt, "{line}");
            assert!(!text(&line["worker"]).is_empty(), "{line}");
            let ids = text(&line["request_id"]);
            assert!(ids.split(',').all(|id| received.contains(id)), "{line}");
        }
    }

    // What an operator does is a step, too.
    let by_hand = |command: &'static str, class: &'static str| {
        let arguments = ["dead", command, "--class", class];
        [&json[..], &["-v"], &arguments[..]].concat()
    };
    let discard = [
        &by_hand("discard", "undecodable")[..],
        &["--reason", "told Ann Arbor"],
    ];
    let discarded = relay.run(&discard.concat()).await.expect(0);
    assert!(
        !discarded.stderr.contains("Ann Arbor"),
        "{}",
        discarded.stderr
    );
    let closing = relay.run(&wait).await.expect(3);
    // Not before: what is listed with other content is no longer what was discarded.
    sandbox.repair();
    let replayed = relay.run(&by_hand("replay", "unmatched")).await.expect(0);
    let sync = relay.run(&wait).await.expect(0);
    let runs = [&discarded, &closing, &replayed, &sync];
    let logs = runs.map(|run| &run.stderr);
    for (id, lines) in by_change(logs.map(String::as_str)) {
        let expected: &[&str] = match dead[&id].as_str() {
            "unmatched" => &["replayed crm", "applied crm", "acknowledged alumniq"],
            _ => &["discarded alumniq", "discarded alumniq"],
        };
        assert_eq!(told(&lines), expected, "{lines:#?}");
    }
}

#[tokio::test]
async fn at_info_a_change_is_one_line_that_says_where_it_went_in_how_many_attempts_and_how_long() {
    const CHANGES: usize = 40;
    let sandbox = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: 40,
        missing_in_crm: 3,
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.start("producer,crm,salsa,acknowledger").await;
    until_true("every change is acknowledged or dead", async || {
        let books = &relay.status().await["books"];
        books["dead"] == 3 && books["acknowledged"] == CHANGES - 3
    })
    .await;
    let log = service.log();
    service.stop().await;
    let changes = by_change([log.as_str()]);
    assert_eq!(changes.len(), CHANGES, "{log}");
    let dead = relay.dead_ids().await;
    for (id, lines) in &changes {
        let [line] = &lines[..] else {
            panic!("{id}: {lines:#?}");
        };
        if dead.contains(id) {
            assert_eq!(told(lines), ["dead letter crm"]);
            continue;
        }
        assert_eq!(told(lines), ["acknowledged alumniq"]);
        let mut destinations: Vec<&str> =
            line["destinations"].as_str().unwrap().split(',').collect();
        destinations.sort_unstable();
        assert_eq!(destinations, ["crm", "salsa"], "{line}");
        assert_eq!(line["attempts"], 2, "{line}");
        assert!(line["ms"].as_u64().is_some_and(|ms| ms > 0), "{line}");
    }

    // A command prints a summary: of single changes it logs only what needs a person.
    sandbox.repair();
    relay
        .run(&["dead", "replay", "--class", "unmatched"])
        .await
        .expect(0);
    let json = ["--log-format", "json", "sync", "--wait"];
    let sync = relay.run(&json).await.expect(0);
    assert!(
        by_change([sync.stderr.as_str()]).is_empty(),
        "{}",
        sync.stderr
    );
}

#[tokio::test]
async fn a_settle_that_was_refused_is_not_told_as_done() {
    const CHANGES: usize = 30;
    let sandbox = vendors(CHANGES, 30).await;
    // So long that the sleeper is stopped while its calls are under way.
    sandbox.set_faults(Faults {
        crm: VendorFaults {
            latency_ms: 1_000,
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("worker.lease", "2s")
        .set("log.level", "info,alumniq_relay::change=debug");
    let sleeper = relay.start("crm").await;
    let other = relay.start("producer,salsa,acknowledger").await;
    until_true("the sleeper calls the CRM", async || {
        relay.status().await["destinations"]["crm"]["running"] != 0
    })
    .await;
    sleeper.signal("STOP");
    let heir = relay.start("crm").await;
    acknowledged(&sandbox, CHANGES).await;
    sleeper.signal("CONT");
    until_true("it is refused", async || sleeper.log().contains("refused")).await;
    let logs = [sleeper.log(), heir.log()];
    for service in [sleeper, other, heir] {
        service.stop().await;
    }
    let changes = by_change(logs.iter().map(String::as_str));
    assert_eq!(changes.len(), CHANGES);
    let count = |lines: &[Value], start: &str| {
        let told = told(lines);
        told.iter().filter(|line| line.starts_with(start)).count()
    };
    for (id, lines) in &changes {
        assert_eq!(count(lines, "applied crm"), 1, "{id}: {lines:#?}");
    }
    let mut refused = changes.values().map(|lines| count(lines, "refused"));
    assert!(refused.any(|refused| refused > 0), "{logs:#?}");
    every_promise_held(&sandbox.report(), &[], &[]);
}

#[tokio::test]
async fn a_pause_is_one_line_in_the_whole_fleet_however_often_it_is_probed_in_vain() {
    const CHANGES: usize = 60;
    let sandbox = vendors(CHANGES, 60).await;
    sandbox.set_faults(Faults {
        crm: down(Fault::Unavailable),
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let fleet = [
        relay.start("producer,acknowledger,crm").await,
        relay.start("crm,salsa").await,
    ];
    let met = || {
        let faults = sandbox.report().faults;
        let crm = faults.get(&sandbox::Vendor::Crm);
        crm.map_or(0, |faults| faults.values().sum::<u64>())
    };
    until_true("the CRM is paused", async || {
        !relay.status().await["pauses"]["crm"].is_null()
    })
    .await;
    let before = met();
    until_true("it is probed in vain", async || met() >= before + 3).await;
    sandbox.set_faults(Faults::default());
    acknowledged(&sandbox, CHANGES).await;
    let mut all = String::new();
    for service in fleet {
        all += &service.log();
        service.stop().await;
    }
    let lines = |message: &str| {
        let lines = all
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .filter(|line| line["message"] == message && line["destination"] == "crm")
            .count()
    };
    assert_eq!((lines("paused"), lines("resumed")), (1, 1), "{all}");
}
