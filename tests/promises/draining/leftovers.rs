//! Commands that start a `redis-server` of their own leave none behind, however they are interrupted.

use harness::{
    relay::Relay,
    service::Exit,
    vendors::{acknowledged, every_promise_held, repeats, vendors},
    waiting::until_true,
};
use sandbox::{Faults, NewChanges};

use super::{EVERY_ROLE, slow};

async fn no_server_runs(relay: &Relay) {
    until_true("no redis-server is left behind", async || {
        relay.embedded_servers().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_sync_that_is_interrupted_gives_back_stops_its_server_and_can_be_run_again() {
    const CHANGES: usize = 40;
    let sandbox = vendors(CHANGES, 20).await;
    sandbox.set_faults(Faults {
        crm: slow(600_000),
        ..Faults::default()
    });
    let relay = Relay::new(&sandbox, None)
        .set("worker.lease", "300s")
        .set("worker.drain", "1s")
        .set("crm.timeout", "300s");
    let mut sync = relay.spawn(&["sync", "--wait"]);
    until_true("the CRM is called", async || {
        let status = relay.status().await;
        status["destinations"]["crm"]["running"].as_u64() > Some(0)
    })
    .await;
    sync.signal("INT");
    assert_eq!(sync.ended().await, Exit::Code(130));
    assert!(sync.log().contains("interrupted"), "{}", sync.log());
    assert_eq!(relay.embedded_servers(), [0_u32; 0], "{}", sync.log());

    // The lease is longer than this test waits: what was given up can be claimed now.
    sandbox.set_faults(Faults::default());
    let again = relay.json(&["sync", "--wait", "--json"]).await;
    assert_eq!(again["dead"], 0, "{again}");
    let report = sandbox.report();
    assert_eq!(report.acknowledged, CHANGES);
    every_promise_held(&report, &[], &[]);
    assert_eq!(repeats(&report), 0);
    no_server_runs(&relay).await;
}

#[tokio::test]
async fn an_interrupted_sync_leaves_the_server_to_the_service_that_uses_it_too() {
    const CHANGES: usize = 40;
    let sandbox = vendors(CHANGES, 20).await;
    let relay = Relay::new(&sandbox, None);
    let service = relay.start(EVERY_ROLE).await;
    acknowledged(&sandbox, CHANGES).await;
    relay.run(&["pause", "crm"]).await.expect(0);
    sandbox.add_changes(&NewChanges {
        count: 10,
        ..NewChanges::default()
    });
    let mut sync = relay.spawn(&["sync", "--wait"]);
    until_true("it has fetched, and waits", async || {
        relay.status().await["books"]["in_flight"] == 10
    })
    .await;
    sync.signal("INT");
    assert_eq!(sync.ended().await, Exit::Code(130));
    assert_eq!(relay.embedded_servers().len(), 1, "the service needs it");
    relay.run(&["resume", "crm"]).await.expect(0);
    acknowledged(&sandbox, CHANGES + 10).await;
    service.stop().await;
    no_server_runs(&relay).await;
}

#[tokio::test]
async fn a_demo_that_is_interrupted_leaves_neither_server_nor_directory() {
    for signals in [1, 2] {
        let relay = Relay::with_config("");
        let mut demo = relay.spawn(&["demo", "--changes", "20000", "-v"]);
        until_true("changes flow", async || demo.log().contains("applied")).await;
        assert_eq!(relay.embedded_servers().len(), 1);
        demo.signal("INT");
        if signals == 2 {
            until_true("it drains", async || demo.log().contains("draining")).await;
            demo.signal("INT");
        }
        assert_eq!(demo.ended().await, Exit::Code(130));
        no_server_runs(&relay).await;
        let left = std::fs::read_dir(relay.temporary()).unwrap().count();
        assert_eq!(left, 0, "the demo's directory is left");
    }
}

#[tokio::test]
async fn a_demo_that_is_killed_leaves_no_server() {
    let relay = Relay::with_config("");
    let demo = relay.spawn(&["demo", "--changes", "20000", "-v"]);
    until_true("changes flow", async || demo.log().contains("applied")).await;
    assert_eq!(relay.embedded_servers().len(), 1);
    demo.kill9().await;
    no_server_runs(&relay).await;
}

#[tokio::test]
async fn commands_that_look_stop_their_server_when_they_are_interrupted() {
    let sandbox = vendors(20, 10).await;
    sandbox.add_changes(&NewChanges {
        count: 3,
        xid: Some("nobody-knows-me".to_owned()),
        ..NewChanges::default()
    });
    let relay = Relay::new(&sandbox, None);
    relay.run(&["sync", "--wait"]).await.expect(3);
    no_server_runs(&relay).await;

    let mut watching = relay.spawn(&["status", "--watch"]);
    until_true("it shows something", async || {
        watching.printed().contains("fetched")
    })
    .await;
    assert_eq!(relay.embedded_servers().len(), 1);
    watching.signal("INT");
    assert_eq!(watching.ended().await, Exit::Code(0));
    no_server_runs(&relay).await;

    let mut replay = relay.spawn(&["dead", "replay", "--all", "--rate", "1/m"]);
    until_true("the first of six letters is replayed", async || {
        let letters = relay.json(&["dead", "list", "--json"]).await;
        letters["total"] == 5
    })
    .await;
    replay.signal("INT");
    assert_eq!(replay.ended().await, Exit::Code(130));
    assert!(
        replay
            .printed()
            .contains("1 dead letters replayed before it was called off"),
        "{}",
        replay.printed()
    );
    no_server_runs(&relay).await;
}
