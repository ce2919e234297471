//! Commands with `--server`: the same words as straight to Redis, without a configuration.

use harness::relay::Relay;
use serde_json::Value;

use super::{Fleet, OPERATOR, VIEWER};

/// Takes away what differs from one moment to the next.
fn still(mut status: Value) -> Value {
    for moving in [
        "workers",
        "memory",
        "oldest_unacknowledged_seconds",
        "rates",
    ] {
        status.as_object_mut().unwrap().remove(moving);
    }
    status
}

#[tokio::test]
async fn commands_say_the_same_through_a_server_as_straight_to_redis() {
    let fleet = Fleet::with_letters(3).await;
    let service = fleet.relay.start("console").await;
    let letters = fleet.relay.dead_ids().await;
    let id = letters[0].as_str();
    for arguments in [
        &["dead", "list"][..],
        &["dead", "list", "--json"],
        &["dead", "list", "--limit", "2", "--json"],
        &["dead", "list", "--destination", "crm"],
        &["dead", "list", "--since", "2020-01-01", "--json"],
        &["dead", "list", "--until", "2020-01-01", "--json"],
        &["dead", "show", id],
        &["dead", "show", id, "--json"],
        &["dead", "show", "nobody-knows-me"],
        &["show", id],
        &["show", id, "--json"],
        &["show", "nobody/knows me"],
        &["dead", "replay", id, "--dry-run"],
        &["dead", "replay", "nobody-knows-me"],
        &["dead", "discard", "--all", "--dry-run", "--json"],
    ] {
        let here = fleet.relay.run(arguments).await;
        let there = fleet.ask(&service, OPERATOR, arguments).await;
        assert_eq!(there.code, here.code, "{arguments:?}: {}", there.said());
        assert_eq!(there.stdout, here.stdout, "{arguments:?}");
    }
    let here = fleet.relay.status().await;
    let there = fleet.ask(&service, OPERATOR, &["status", "--json"]).await;
    assert_eq!(still(there.expect(0).json()), still(here));
    service.stop().await;
}

#[tokio::test]
async fn what_an_operator_does_through_a_server_is_done_in_their_name() {
    let fleet = Fleet::with_letters(3).await;
    let service = fleet.relay.start("console").await;
    let letters = fleet.relay.dead_ids().await;
    let reason = ["--reason", "left the school"];
    let discard = [&["dead", "discard", letters[0].as_str()], &reason[..]].concat();
    let said = fleet.ask(&service, OPERATOR, &discard).await.expect(0);
    assert_eq!(said.stdout, "1 dead letters discarded\n");
    let shown = fleet.relay.run(&["show", &letters[0]]).await.expect(0);
    assert!(
        shown.stdout.contains("left the school [ada]"),
        "{}",
        shown.stdout
    );

    fleet
        .ask(&service, OPERATOR, &["pause", "salsa"])
        .await
        .expect(0);
    assert_eq!(
        fleet.relay.status().await["destinations"]["salsa"]["paused"],
        true
    );
    fleet
        .ask(&service, OPERATOR, &["resume", "salsa"])
        .await
        .expect(0);
    assert_eq!(
        fleet.relay.status().await["destinations"]["salsa"]["paused"],
        false
    );
    service.stop().await;
}

#[tokio::test]
async fn who_is_refused_is_told_why_and_what_to_do() {
    let fleet = Fleet::with_letters(1).await;
    let service = fleet.relay.start("console").await;
    for (token, arguments, words) in [
        ("wrong", &["status"][..], "does not know this token"),
        ("", &["status"], "does not know this token"),
        (VIEWER, &["pause", "crm"], "A viewer may look, not act"),
        (
            VIEWER,
            &["dead", "list", "--xid", "1"],
            "may not see whose changes",
        ),
    ] {
        let ended = fleet.ask(&service, token, arguments).await.expect(1);
        assert!(
            ended.said().contains(words),
            "{arguments:?}: {}",
            ended.said()
        );
    }
    let seen = fleet
        .ask(&service, VIEWER, &["dead", "list", "--json"])
        .await;
    assert_eq!(seen.expect(0).json()["items"][0]["xid"], Value::Null);

    let away = Relay::with_config("").with_variable("ALUMNIQ_RELAY_SERVER", "http://127.0.0.1:9");
    let ended = away.run(&["status"]).await.expect(1);
    assert!(
        ended
            .said()
            .contains("the server cannot be used: no connection"),
        "{}",
        ended.said()
    );
    let other = Relay::with_config("").with_variable(
        "ALUMNIQ_RELAY_SERVER",
        &format!("http://{}/elsewhere", service.address()),
    );
    let ended = other.run(&["status"]).await.expect(1);
    assert!(
        ended.said().contains("no alumniq-relay"),
        "{}",
        ended.said()
    );
    let wrong =
        Relay::with_config("").with_variable("ALUMNIQ_RELAY_SERVER", "ftp://relay.school.edu");
    wrong.run(&["status"]).await.expect(2);
    service.stop().await;
}
