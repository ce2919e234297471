//! The whole way from AlumnIQ's feed to its acknowledgement, with nobody disturbing it.

use harness::{
    redis::Redis,
    relay::{Relay, ids, text},
    rows::campus_now,
    vendors::{acknowledged, every_promise_held, repeats, salsa_calls, vendors, vendors_with},
};
use sandbox::{SandboxOptions, Vendor};
use serde_json::Value;

/// Before every row that a sandbox of two days has.
fn three_days_ago() -> String {
    let today = campus_now().date();
    today
        .checked_sub(jiff::Span::new().days(3))
        .unwrap()
        .to_string()
}

#[tokio::test]
async fn one_command_with_its_own_redis_takes_more_than_the_feeds_cap_through() {
    let sandbox = vendors_with(SandboxOptions {
        changes: 1_200,
        people: 400,
        days: 2,
        ..SandboxOptions::default()
    })
    .await;
    let relay = Relay::new(&sandbox, None);
    let since = three_days_ago();
    let synced = relay
        .json(&["sync", "--since", &since, "--wait", "--json"])
        .await;
    assert_eq!(synced["acknowledged"], 1_200, "{synced}");
    assert_eq!(synced["dead"], 0, "{synced}");

    let report = sandbox.report();
    assert_eq!((report.acknowledged, report.unprocessed), (1_200, 0));
    every_promise_held(&report, &[], &[]);
    assert_eq!(repeats(&report), 0);
    // The capped answer, and days without a cap: 1 200 rows of two days stand in no other answers.
    let fetches = &report.traffic.batches[&Vendor::Alumniq]["fetch"];
    assert_eq!(fetches.get(&500), Some(&1), "{fetches:?}");
    assert!(fetches.keys().any(|rows| *rows > 500), "{fetches:?}");
    assert!(
        relay.embedded_servers().is_empty(),
        "a redis-server was left behind"
    );
}

#[tokio::test]
async fn people_who_are_missing_wait_until_they_are_there_and_a_replay_takes_them_through() {
    let sandbox = vendors_with(SandboxOptions {
        changes: 300,
        people: 120,
        missing_in_crm: 6,
        missing_in_salsa: 7,
        ..SandboxOptions::default()
    })
    .await;
    let relay = Relay::new(&sandbox, None);
    let synced = relay
        .run(&["sync", "--wait", "--json"])
        .await
        .expect(3)
        .json();
    let dead = relay.dead_ids().await;
    assert_eq!(synced["dead"], dead.len(), "{synced}");
    assert_eq!(synced["acknowledged"], 300 - dead.len(), "{synced}");
    let letters = relay.dead().await;
    assert!(letters.iter().all(|letter| letter["class"] == "unmatched"));
    every_promise_held(&sandbox.report(), &[], &dead);

    sandbox.repair();
    relay.run(&["dead", "replay", "--all"]).await.expect(0);
    relay.run(&["sync", "--wait"]).await.expect(0);
    let report = sandbox.report();
    assert_eq!((report.acknowledged, report.unprocessed), (300, 0));
    every_promise_held(&report, &[], &[]);
    assert!(
        relay.embedded_servers().is_empty(),
        "a redis-server was left behind"
    );
}

#[tokio::test]
async fn rows_that_are_wrong_say_what_to_do_and_are_read_again_once_corrected() {
    let sandbox = vendors_with(SandboxOptions {
        changes: 300,
        people: 120,
        anonymous: 5,
        invalid_fields: 4,
        invalid_phones: 3,
        undecodable: 4,
        ..SandboxOptions::default()
    })
    .await;
    let relay = Relay::new(&sandbox, None);
    relay.run(&["sync", "--wait", "--json"]).await.expect(3);
    let letters = relay.dead().await;
    for letter in &letters {
        for field in ["class", "cause", "advice"] {
            assert!(!text(&letter[field]).is_empty(), "{letter}");
        }
    }
    let of = |class: &str| {
        letters
            .iter()
            .filter(|letter| letter["class"] == class)
            .count()
    };
    assert_eq!(of("undecodable"), 4);
    assert_eq!(
        of("anonymous"),
        2 * 5,
        "nobody to match at either destination"
    );
    assert_eq!(
        of("validation"),
        4 + 2 * 3,
        "the employer at Salsa, the phone at both"
    );
    assert_eq!(letters.len(), 4 + 10 + 10);
    every_promise_held(&sandbox.report(), &[], &relay.dead_ids().await);

    sandbox.repair();
    relay.run(&["sync"]).await.expect(0);
    let discard = [
        "dead",
        "discard",
        "--class",
        "anonymous",
        "--reason",
        "signed by nobody",
    ];
    relay.run(&discard).await.expect(0);
    relay.run(&["dead", "replay", "--all"]).await.expect(0);
    // Whose newer change was applied meanwhile does not get the older one.
    relay.run(&["sync", "--wait"]).await;
    let stale = relay.dead().await;
    assert!(
        stale.iter().all(|letter| letter["class"] == "stale"),
        "{stale:?}"
    );
    let given_up = [
        "dead",
        "discard",
        "--class",
        "stale",
        "--reason",
        "newer is applied",
    ];
    relay.run(&given_up).await;
    relay.run(&["sync", "--wait"]).await.expect(0);

    let report = sandbox.report();
    assert_eq!((report.acknowledged, report.unprocessed), (300, 0));
    let discarded = ids(letters
        .iter()
        .filter(|letter| letter["class"] == "anonymous")
        .chain(&stale));
    every_promise_held(&report, &discarded, &[]);
    let books = &relay.status().await["books"];
    assert_eq!(books["difference"], 0);
    assert_eq!(books["discarded"], discarded.len());
    assert_eq!(books["acknowledged"], 300 - discarded.len());
}

#[tokio::test]
async fn four_processes_on_one_redis_share_the_work_and_keep_the_order() {
    const CHANGES: usize = 1_500;
    let sandbox = vendors(CHANGES, 600).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let mut fleet = Vec::new();
    for roles in ["crm,salsa", "crm,salsa", "acknowledger", "producer"] {
        fleet.push(relay.start(roles).await);
    }
    acknowledged(&sandbox, CHANGES).await;

    let report = sandbox.report();
    every_promise_held(&report, &[], &[]);
    assert_eq!(repeats(&report), 0);
    assert_eq!(
        report.traffic.calls_of(Vendor::Crm, "update"),
        CHANGES as u64
    );
    let calls = salsa_calls(&report) as f64 / CHANGES as f64;
    let puts = report.traffic.calls_of(Vendor::Alumniq, "acknowledge");
    println!("{calls:.3} Salsa calls a change, {puts} PUTs to AlumnIQ");
    assert!(calls <= 0.15, "{calls} Salsa calls a change");

    let status = relay.status().await;
    assert_eq!(
        status["workers"].as_object().map(serde_json::Map::len),
        Some(4),
        "{status}"
    );
    for service in fleet {
        service.stop().await;
    }
    let status = relay.status().await;
    assert_eq!(status["workers"], Value::Object(serde_json::Map::default()));
    assert_eq!(status["books"]["acknowledged"], CHANGES);
}
