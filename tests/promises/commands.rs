//! The commands as people and scripts use them: what they print, and with which code they end.

use std::{fs::File, process::Stdio};

use harness::{
    redis::Redis,
    relay::{Relay, program},
    vendors::{every_promise_held, vendors},
    waiting::{until, until_true},
};
use sandbox::NewChanges;
use serde_json::Value;
use tokio::process::Command;

#[tokio::test]
async fn the_demo_with_faults_holds_every_promise() {
    let relay = Relay::with_config("");
    let demo = relay
        .run(&["demo", "--faults", "--changes", "300"])
        .await
        .expect(0);
    assert!(
        demo.stdout.contains("300 changes acknowledged"),
        "{}",
        demo.stdout
    );
    assert!(demo.stdout.contains("the books balance"), "{}", demo.stdout);
    assert!(!demo.stdout.contains("BROKEN"), "{}", demo.stdout);
}

#[tokio::test]
async fn the_sandbox_prints_the_configuration_that_a_sync_needs() {
    let empty = Relay::with_config("");
    let printed = empty.path("printed.toml");
    let mut sandbox = Command::new(program())
        .args([
            "sandbox",
            "--listen",
            "127.0.0.1:0",
            "--changes",
            "100",
            "--missing-in-crm",
            "3",
        ])
        .stdin(Stdio::null())
        .stdout(File::create(&printed).unwrap())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let text = until("the sandbox prints a configuration", async || {
        let text = std::fs::read_to_string(&printed).unwrap();
        text.contains("[salsa]").then_some(text)
    })
    .await;
    let relay = Relay::with_config(&text);
    relay.run(&["sync", "--wait"]).await.expect(3);
    assert!(
        relay.embedded_servers().is_empty(),
        "a redis-server was left behind"
    );

    let pid = sandbox.id().unwrap().to_string();
    assert!(
        std::process::Command::new("kill")
            .arg(pid)
            .status()
            .unwrap()
            .success()
    );
    let status = until("the sandbox ends", async || sandbox.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_sync_beside_a_running_service_waits_for_what_both_do() {
    const CHANGES: usize = 200;
    let sandbox = vendors(CHANGES, 60).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.start("producer,crm,salsa,acknowledger").await;
    let synced = relay.json(&["sync", "--wait", "--json"]).await;
    until_true("every change is acknowledged", async || {
        sandbox.report().acknowledged == CHANGES
    })
    .await;
    assert_eq!(synced["dead"], 0, "{synced}");
    let report = sandbox.report();
    every_promise_held(&report, &[], &[]);
    assert_eq!(report.repeats, []);
    service.stop().await;
}

/// Fails where `value` lacks a key that scripts rely on.
#[track_caller]
fn has(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "no {key} in {value}");
    }
}

#[tokio::test]
async fn the_json_that_scripts_rely_on_has_its_keys() {
    let sandbox = vendors(10, 5).await;
    let stranger = NewChanges {
        count: 2,
        xid: Some("nobody-knows-me".to_owned()),
        ..NewChanges::default()
    };
    let dead = sandbox.add_changes(&stranger);
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let synced = relay
        .run(&["sync", "--wait", "--json"])
        .await
        .expect(3)
        .json();
    has(
        &synced,
        &[
            "fetched",
            "enqueued",
            "duplicates",
            "acknowledged",
            "dead",
            "seconds",
        ],
    );

    let status = relay.status().await;
    has(
        &status,
        &["books", "destinations", "oldest_unacknowledged_seconds"],
    );
    let books = [
        "fetched",
        "acknowledged",
        "discarded",
        "in_flight",
        "dead",
        "difference",
    ];
    has(&status["books"], &books);
    for destination in ["crm", "salsa"] {
        let states = ["waiting", "ready", "running", "retry", "dead", "paused"];
        has(&status["destinations"][destination], &states);
    }

    let page = relay
        .json(&["dead", "list", "--limit", "1", "--json"])
        .await;
    has(&page, &["total", "items", "next"]);
    assert_eq!(page["total"], 4);
    let letter = &page["items"][0];
    has(
        letter,
        &[
            "change_id",
            "xid",
            "destination",
            "class",
            "cause",
            "advice",
            "attempts",
            "died_at",
        ],
    );
    let mut cursor = page["next"].clone();
    let mut letters = 1;
    while let Some(next) = cursor.as_str() {
        let page = relay
            .json(&["dead", "list", "--limit", "1", "--cursor", next, "--json"])
            .await;
        letters += page["items"].as_array().unwrap().len();
        cursor = page["next"].clone();
    }
    assert_eq!(letters, 4, "every letter stands on one page");

    let shown = relay.show(&dead[0]).await;
    has(&shown, &["change_id", "state", "destinations", "events"]);
    assert_eq!(shown["state"], "dead");
    let unknown = relay.run(&["show", "no-such-change"]).await.expect(1);
    assert!(
        unknown.said().contains("no-such-change"),
        "{}",
        unknown.stderr
    );
}

#[tokio::test]
async fn what_cannot_be_printed_fails() {
    for arguments in [
        &["--version"][..],
        &["--help"],
        &["run", "--help"],
        &["completions", "bash"],
        &["openapi"],
    ] {
        let ended = Command::new(program())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(File::options().write(true).open("/dev/full").unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .await
            .unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("stdout cannot be written"), "{said}");
    }
}
