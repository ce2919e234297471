//! What the configuration can change about the way.

use harness::{
    redis::Redis,
    relay::Relay,
    vendors::{every_promise_held, salsa_calls, vendors, vendors_with},
};
use jobs::destination::Destination;
use redis::AsyncTypedCommands;
use sandbox::{NewChanges, Sandbox, SandboxOptions, Vendor};

async fn serving(destinations: &[Destination]) -> Sandbox {
    vendors_with(SandboxOptions {
        changes: 60,
        people: 25,
        destinations: destinations.to_vec(),
        ..SandboxOptions::default()
    })
    .await
}

#[tokio::test]
async fn anonymous_changes_are_matched_by_contact_data_where_that_is_configured() {
    let sandbox = vendors_with(SandboxOptions {
        changes: 60,
        people: 25,
        anonymous: 8,
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.anonymous", "match");
    relay.run(&["sync", "--wait"]).await.expect(0);
    let report = sandbox.report();
    assert_eq!(report.acknowledged, 60);
    assert_eq!(report.identity_moved, []);
    assert_eq!(report.acknowledged_early, Vec::<String>::new());
}

#[tokio::test]
async fn acknowledging_on_fetch_marks_while_fetching_and_puts_nothing() {
    let sandbox = vendors(1_100, 300).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.acknowledge", "on_fetch");
    relay.run(&["sync", "--wait"]).await.expect(0);
    let report = sandbox.report();
    assert_eq!((report.marked_on_fetch, report.unprocessed), (1_100, 0));
    assert_eq!(report.traffic.calls_of(Vendor::Alumniq, "acknowledge"), 0);
    assert!(report.applied.values().all(|applied| *applied == 1_100));
    every_promise_held(&report, &[], &[]);
}

#[tokio::test]
async fn a_destination_that_is_switched_off_is_neither_called_nor_waited_for() {
    for (off, on) in [("crm", Destination::Salsa), ("salsa", Destination::Crm)] {
        let sandbox = serving(&[on]).await;
        let redis = Redis::start().await;
        let relay = Relay::new(&sandbox, Some(&redis)).set(&format!("{off}.enabled"), "false");
        relay.run(&["sync", "--wait"]).await.expect(0);
        let report = sandbox.report();
        assert_eq!(report.acknowledged, 60);
        assert_eq!(report.applied[&on], 60);
        every_promise_held(&report, &[], &[]);
        let calls = serde_json::to_value(&report.traffic.calls).unwrap();
        assert!(calls[off].is_null(), "{calls}");
    }
}

#[tokio::test]
async fn create_missing_adds_supporters_and_the_crm_upserts_contacts() {
    let sandbox = vendors_with(SandboxOptions {
        changes: 60,
        people: 25,
        missing_in_crm: 4,
        missing_in_salsa: 4,
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("salsa.create_missing", "true")
        .set("crm.operation", "upsert");
    relay.run(&["sync", "--wait"]).await.expect(0);
    let report = sandbox.report();
    assert_eq!(report.acknowledged, 60);
    every_promise_held(&report, &[], &[]);
    assert_eq!(report.traffic.calls_of(Vendor::Crm, "update"), 0);
    assert!(report.traffic.calls_of(Vendor::Crm, "upsert") >= 60);
}

#[tokio::test]
async fn one_person_and_one_day_can_be_fetched_alone() {
    let sandbox = vendors(80, 20).await;
    let wanted = sandbox.add_changes(&NewChanges {
        count: 1,
        ..NewChanges::default()
    });
    let xid = sandbox.change(&wanted[0]).unwrap().xid.unwrap();
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let synced = relay
        .json(&["sync", "--xid", &xid, "--wait", "--json"])
        .await;
    assert!(sandbox.change(&wanted[0]).unwrap().acknowledged.is_some());
    assert_eq!(synced["acknowledged"], sandbox.report().acknowledged);
    assert!(sandbox.report().unprocessed > 0);
    let long_ago = relay
        .json(&["sync", "--on", "2001-01-01", "--wait", "--json"])
        .await;
    assert_eq!(long_ago["fetched"], 0);
}

#[tokio::test]
async fn every_call_to_salsa_is_booked_in_the_limit_that_the_fleet_shares() {
    let sandbox = vendors(60, 25).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["sync", "--wait"]).await.expect(0);
    let report = sandbox.report();
    let calls = salsa_calls(&report) + report.traffic.calls_of(Vendor::Salsa, "metrics");
    let booked = redis.connect().await.zcard("{sandbox}:places:salsa").await;
    assert_eq!(booked.unwrap() as u64, calls);
}
