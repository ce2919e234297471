//! Every process of a fleet is replaced while work goes on.

use harness::{
    redis::Redis,
    relay::Relay,
    vendors::{acknowledged, every_promise_held, repeats, vendors},
    waiting::until_true,
};
use sandbox::{Faults, NewChanges, Sandbox};

use super::{EVERY_ROLE, events, nothing_is_held_and_nothing_is_used_up, of_kind, slow};

const PROCESSES: usize = 3;
const ROUNDS: usize = 2;

/// How many changes arrive before each restart.
const ARRIVALS: usize = 150;

/// How many changes process `pid` works on; workers' names hold the process' id.
async fn held_by(redis: &Redis, pid: u32) -> usize {
    let mut connection = redis.connect().await;
    let mut held = 0;
    for destination in ["crm", "salsa"] {
        let running: Vec<String> = redis::cmd("HVALS")
            .arg(format!("{{sandbox}}:running:{destination}"))
            .query_async(&mut connection)
            .await
            .unwrap();
        let worker = format!("-{pid}-");
        held += running
            .iter()
            .filter(|entry| entry.contains(&worker))
            .count();
    }
    held
}

async fn arrive(sandbox: &Sandbox, relay: &Relay) {
    sandbox.add_changes(&NewChanges {
        count: ARRIVALS,
        ..NewChanges::default()
    });
    relay.run(&["sync"]).await.expect(0);
}

#[tokio::test]
async fn a_rolling_restart_under_load_loses_nothing_and_repeats_nothing() {
    let sandbox = vendors(ARRIVALS, 120).await;
    sandbox.set_faults(Faults {
        alumniq: slow(40),
        crm: slow(150),
        salsa: slow(250),
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("worker.drain", "100s")
        .set("acknowledge.max_batch", "20")
        .set("crm.concurrency", "12");
    let mut fleet = Vec::new();
    for _ in 0..PROCESSES {
        fleet.push(relay.start(EVERY_ROLE).await);
    }
    for _ in 0..ROUNDS * PROCESSES {
        let oldest = fleet.remove(0);
        let is_busy = async || held_by(&redis, oldest.pid()).await > 0;
        let busy = until_true(
            "the process that will be replaced has calls under way",
            async || {
                let is_busy = is_busy().await;
                // On a slow machine all may be done before it is looked at.
                if !is_busy && relay.status().await["books"]["in_flight"] == 0 {
                    arrive(&sandbox, &relay).await;
                }
                is_busy
            },
        );
        tokio::join!(arrive(&sandbox, &relay), busy);
        oldest.stop().await;
        fleet.push(relay.start(EVERY_ROLE).await);
    }
    let changes = sandbox.report().changes;
    acknowledged(&sandbox, changes).await;
    for service in fleet {
        service.stop().await;
    }

    let report = sandbox.report();
    every_promise_held(&report, &[], &[]);
    assert_eq!(repeats(&report), 0, "{:?}", report.repeats);
    assert_eq!(report.repeated_acknowledgements, 0);
    nothing_is_held_and_nothing_is_used_up(&relay, &redis).await;
    let events = events(&redis).await;
    assert_eq!(of_kind(&events, "given_back"), Vec::<&str>::new());
    assert_eq!(of_kind(&events, "done").len(), 2 * changes);
    let status = relay.status().await;
    assert_eq!(status["books"]["acknowledged"], changes, "{status}");
}
