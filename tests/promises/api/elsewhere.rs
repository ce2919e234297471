//! What asks no server says so, and does nothing here instead.

use super::{Fleet, OPERATOR};

#[tokio::test]
async fn a_command_that_acts_here_refuses_a_server_and_does_not_look_at_the_variable() {
    let fleet = Fleet::with_letters(1).await;
    let before = fleet.relay.status().await["books"].clone();
    for command in [
        &["sync"][..],
        &["sync", "--wait"],
        &["run"],
        &["preview"],
        &["encryption", "rotate"],
        &["check", "--connect"],
        &["supporter", "delete", "1", "--yes"],
        &["config", "print"],
    ] {
        for flag in [
            ["--server", "http://127.0.0.1:9"],
            ["--token-file", "token"],
        ] {
            let line = [command, &flag].concat();
            let said = fleet.relay.run(&line).await.expect(2).said();
            assert!(said.contains("is not for this command"), "{line:?}: {said}");
        }
    }
    assert_eq!(fleet.relay.status().await["books"], before);
    let elsewhere = fleet
        .relay
        .with_variable("ALUMNIQ_RELAY_SERVER", "http://127.0.0.1:9");
    elsewhere.run(&["check"]).await.expect(0);
    elsewhere.run(&["status"]).await.expect(1);
}

#[tokio::test]
async fn an_empty_server_is_no_leave_to_use_the_redis_that_is_near() {
    let fleet = Fleet::with_letters(2).await;
    for action in [
        &["dead", "replay", "--all"][..],
        &["dead", "discard", "--all", "--reason", "x"],
        &["pause", "crm"],
        &["erase", "--xid", "1", "--yes"],
        &["reconcile", "--fix"],
    ] {
        let line = [action, &["--server", ""]].concat();
        let said = fleet.relay.run(&line).await.expect(2).said();
        assert!(said.contains("--server is empty"), "{line:?}: {said}");
    }
    assert_eq!(fleet.relay.dead_ids().await.len(), 2);
    assert_eq!(
        fleet.relay.status().await["destinations"]["crm"]["paused"],
        false
    );
    // A variable that holds nothing is one that is not set.
    let unset = fleet.relay.with_variable("ALUMNIQ_RELAY_SERVER", "");
    unset.run(&["status"]).await.expect(0);
}

#[tokio::test]
async fn every_destination_tells_its_counts_its_gate_its_limits_and_its_calls() {
    let fleet = Fleet::with_letters(2).await;
    let service = fleet.relay.start("console").await;
    fleet.relay.run(&["pause", "crm"]).await.expect(0);
    let call = r#"{"vendor":"crm","operation":"update","status":"200","ms":12,"changes":1,"at":"2026-11-22T10:00:00Z","request_id":"r1","worker":"w"}"#;
    for known in [
        format!("LPUSH {{sandbox}}:calls:crm {call}"),
        "HSET {sandbox}:limits:salsa rate 300 batch 20 at 1795346073655".to_owned(),
    ] {
        fleet.redis.command(&known).await;
    }
    let shown = fleet.get(&service, "destinations").await;
    let items = shown["items"].as_array().unwrap();
    let named = |name: &str| {
        items
            .iter()
            .find(|item| item["destination"] == name)
            .unwrap()
    };
    assert_eq!(items.len(), 3, "{shown}");
    let salsa = named("salsa");
    assert_eq!(
        (&salsa["dead_letters"], &salsa["enabled"]),
        (&2.into(), &true.into())
    );
    assert_eq!(salsa["counts"]["dead"], 2);
    assert!(
        salsa["pause"].is_null() && salsa["limits"]["places_used"].is_u64(),
        "{salsa}"
    );
    assert_eq!(named("crm")["pause"]["reason"], "operator");
    assert!(named("alumniq")["counts"].is_null(), "{shown}");
    assert_eq!(salsa["limits"]["told_rate"], 300);
    assert_eq!(
        named("crm")["recent_calls"][0]["request_id"],
        "r1",
        "{shown}"
    );
    assert!(!shown.to_string().contains(OPERATOR));
    service.stop().await;
}

#[tokio::test]
async fn a_reason_is_refused_in_the_same_words_by_the_command_line_and_by_the_api() {
    let fleet = Fleet::with_letters(1).await;
    let service = fleet.relay.start("console").await;
    let too_long = "x".repeat(1001);
    for (reason, words) in [
        (" ", "a reason is required"),
        (&too_long, "a reason has at most 1000 characters"),
    ] {
        let arguments = ["dead", "discard", "--all", "--reason", reason];
        let refused = fleet.relay.run(&arguments).await.expect(2);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
        let reason = serde_json::json!(reason);
        for (path, body) in [
            ("dead-letters/discard", r#"{"filter": {}, "reason": "#),
            ("bulks", r#"{"action": "discard", "filter": {}, "reason": "#),
        ] {
            let body = format!("{body}{reason}}}");
            let (status, answer) = fleet.post(&service, path, &body).await;
            assert_eq!(status, 422, "{path}: {answer}");
            let problem = &answer["error"]["problems"][0];
            assert_eq!(problem["field"], "reason", "{path}");
            let said = problem["problem"].as_str().unwrap();
            assert!(said.starts_with(words), "{path}: {said}");
        }
    }
    assert_eq!(fleet.relay.dead_ids().await.len(), 1);
    service.stop().await;
}

/// The list of a body's fields is no body.
#[tokio::test]
async fn a_list_is_no_object_and_above_all_no_filter_that_lets_everything_pass() {
    let fleet = Fleet::with_letters(2).await;
    let service = fleet.relay.start("console").await;
    for (path, body) in [
        ("dead-letters/discard", r#"{"filter": [], "reason": "x"}"#),
        (
            "dead-letters/discard",
            r#"{"filter": [null, null], "reason": "x"}"#,
        ),
        ("dead-letters/replay", r#"[[], {}]"#),
        ("dead-letters/replay", r#"{"ids": [["1"]]}"#),
        ("bulks", r#"{"action": "replay", "filter": []}"#),
        ("reconcile/fix", "[]"),
        ("people/1/erase", "[]"),
        ("people/1/erase", "null"),
    ] {
        let (status, answer) = fleet.post(&service, path, body).await;
        assert_eq!(status, 400, "{path} {body}: {answer}");
    }
    assert_eq!(fleet.relay.dead_ids().await.len(), 2);
    service.stop().await;
}
