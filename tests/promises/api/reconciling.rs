//! `reconcile --server`: a process of the fleet compares, and what is mended is in somebody's name.

use sandbox::Marked;
use serde_json::Value;

use super::{Fleet, OPERATOR, VIEWER};

/// AlumnIQ has forgotten that it was told of so many changes.
fn forget(fleet: &Fleet, many: usize) -> Vec<String> {
    let report = fleet.sandbox.report();
    let told = (0..report.changes as u64).map(|place| (10_u64.pow(4) - 10 + place).to_string());
    let told = told.filter(|id| {
        let change = fleet.sandbox.change(id);
        change.is_some_and(|change| change.acknowledged.is_some())
    });
    let forgotten: Vec<String> = told.take(many).collect();
    assert_eq!(forgotten.len(), many);
    fleet.sandbox.mark(&Marked {
        change_ids: forgotten.clone(),
        processed: false,
    });
    forgotten
}

#[tokio::test]
async fn a_process_of_the_fleet_compares_and_mends_as_the_command_does_here() {
    let fleet = Fleet::with_letters(1).await;
    let service = fleet.relay.start("console").await;
    let forgotten = forget(&fleet, 3);
    for arguments in [
        &["reconcile"][..],
        &["reconcile", "--json"],
        &[
            "reconcile",
            "--since",
            "2026-01-01",
            "--until",
            "2026-01-03",
        ],
        &["reconcile", "--on", "2026-01-01", "--json"],
    ] {
        let here = fleet.relay.run(arguments).await;
        let there = fleet.ask(&service, OPERATOR, arguments).await;
        assert_eq!(there.code, here.code, "{arguments:?}: {}", there.said());
        assert_eq!(there.stdout, here.stdout, "{arguments:?}");
    }
    let arguments = ["reconcile", "--fix", "--json"];
    let refused = fleet.ask(&service, VIEWER, &arguments).await.expect(1);
    assert!(
        refused.said().contains("A viewer may look, not act"),
        "{}",
        refused.said()
    );
    let seen = fleet
        .ask(&service, VIEWER, &["reconcile", "--json"])
        .await
        .expect(3);
    assert_eq!(seen.json()["acknowledged_but_listed"]["count"], 3);

    let mended = fleet
        .ask(&service, OPERATOR, &arguments)
        .await
        .expect(0)
        .json();
    assert_eq!(mended["fixed"]["acknowledged_again"], 3, "{mended}");
    let audit = fleet.get(&service, "audit?action=reconciled").await;
    // One entry a day of AlumnIQ's list.
    let mut named = Vec::new();
    for entry in audit["items"].as_array().unwrap() {
        assert_eq!(
            (&entry["by"], &entry["via"]),
            (&"ada".into(), &"api".into())
        );
        let ids: Vec<String> = serde_json::from_value(entry["change_ids"].clone()).unwrap();
        named.extend(ids);
    }
    named.sort();
    assert_eq!(named, forgotten);
    fleet.relay.run(&["sync", "--wait"]).await.expect(3);
    fleet.relay.run(&["reconcile"]).await.expect(0);
    service.stop().await;
}

#[tokio::test]
async fn days_that_do_not_go_together_or_are_too_many_are_refused() {
    let fleet = Fleet::with_letters(1).await;
    let service = fleet.relay.start("console").await;
    for (query, status, field) in [
        ("since=2026-01-01&until=2026-06-01", 422, Some("since")),
        ("since=0001-01-01", 422, Some("since")),
        ("until=2026-01-01", 422, Some("until")),
        ("on=2026-01-01&since=2026-01-01", 422, Some("since")),
        ("since=2026-01-02&until=2026-01-01", 422, Some("until")),
        ("on=2026-02-31", 400, None),
        ("on=2026-01-01T00:00:00Z", 400, None),
        ("at=2026-01-01", 400, None),
    ] {
        let (got, body) = fleet.answer(&service, &format!("reconcile?{query}")).await;
        assert_eq!(got, status, "{query}: {body}");
        let named = &body["error"]["problems"][0]["field"];
        assert_eq!(named, &field.map_or(Value::Null, Value::from), "{query}");
    }
    for moment in ["2026-02-31", "9999-12-31", "5000000y"] {
        let (got, body) = fleet
            .answer(&service, &format!("dead-letters?since={moment}"))
            .await;
        assert_eq!(got, 400, "{moment}: {body}");
        let list = ["dead", "list", "--since", moment];
        fleet.relay.run(&list).await.expect(2);
    }
    service.stop().await;
}
