//! Calls that would outlive the limit (`worker.drain`): they are given up, and their changes are given back.

use std::collections::BTreeMap;

use harness::{
    redis::Redis,
    relay::Relay,
    service::{Exit, Service},
    vendors::{acknowledged, every_promise_held, repeats, vendors},
    waiting::until_true,
};
use sandbox::{Fault, Faults, NewChanges, Sandbox, VendorFaults};

use super::{EVERY_ROLE, events, nothing_is_held_and_nothing_is_used_up, of_kind, slow};

/// Longer than any test waits for anything: what hangs on it does not happen.
const NEVER: u64 = 600;

/// Every call of these operations (all where none is named) hangs.
fn hanging(operations: &[&str]) -> VendorFaults {
    VendorFaults {
        rates: BTreeMap::from([(Fault::Hang, 1.0)]),
        operations: operations.iter().map(ToString::to_string).collect(),
        hang_seconds: NEVER as f64,
        ..VendorFaults::default()
    }
}

/// Nothing comes back by a lease or by a time limit of a call.
fn patient(sandbox: &Sandbox, redis: &Redis) -> Relay {
    Relay::new(sandbox, Some(redis))
        .set("worker.lease", "300s")
        .set("alumniq.timeout", "300s")
        .set("crm.timeout", "300s")
        .set("salsa.timeout", "300s")
}

/// A service with calls under way at every vendor that will not end, and how many changes there are by then.
async fn stuck_everywhere(sandbox: &Sandbox, relay: &Relay) -> (Service, usize) {
    let first = sandbox.report().changes;
    sandbox.set_faults(Faults {
        alumniq: hanging(&["acknowledge"]),
        ..Faults::default()
    });
    let service = relay.start(EVERY_ROLE).await;
    until_true("a list of changeIds is on its way", async || {
        relay.status().await["acknowledging"].as_u64() > Some(0)
    })
    .await;
    sandbox.set_faults(Faults {
        alumniq: hanging(&["acknowledge"]),
        crm: slow(NEVER * 1000),
        salsa: hanging(&[]),
    });
    let more = sandbox.add_changes(&NewChanges {
        count: 40,
        ..NewChanges::default()
    });
    relay.run(&["sync"]).await.expect(0);
    until_true("calls are under way", async || {
        let destinations = &relay.status().await["destinations"];
        ["crm", "salsa"]
            .iter()
            .all(|name| destinations[name]["running"].as_u64() > Some(0))
    })
    .await;
    (service, first + more.len())
}

async fn given_up_after(limit: &str) {
    let sandbox = vendors(20, 10).await;
    let redis = Redis::start().await;
    let relay = patient(&sandbox, &redis).set("worker.drain", limit);
    let (service, changes) = stuck_everywhere(&sandbox, &relay).await;
    service.stop().await;
    nothing_is_held_and_nothing_is_used_up(&relay, &redis).await;
    let given_back = events(&redis).await;
    let given_back = of_kind(&given_back, "given_back");
    for destination in ["crm", "salsa"] {
        let here = format!("\"destination\":\"{destination}\"");
        assert!(
            given_back.iter().any(|event| event.contains(&here)),
            "the timeline tells of a call that was given up at {destination}: {given_back:?}"
        );
    }

    // A lease of 300 s is longer than this test waits: all of it can be claimed now.
    sandbox.set_faults(Faults::default());
    let other = relay.start(EVERY_ROLE).await;
    acknowledged(&sandbox, changes).await;
    // With no time to drain, an answer that is still on its way to the queue would be given back, too.
    until_true("the queue knows what AlumnIQ knows", async || {
        relay.status().await["books"]["in_flight"] == 0
    })
    .await;
    let report = sandbox.report();
    every_promise_held(&report, &[], &[]);
    assert_eq!(repeats(&report), 0, "no vendor had taken what was given up");
    other.stop().await;
    nothing_is_held_and_nothing_is_used_up(&relay, &redis).await;
}

#[tokio::test]
async fn calls_that_outlive_the_limit_are_given_back_and_another_process_takes_them_at_once() {
    given_up_after("1s").await;
}

#[tokio::test]
async fn without_any_time_to_drain_everything_is_given_back_at_once() {
    given_up_after("0s").await;
}

#[tokio::test]
async fn a_process_that_cannot_give_back_because_redis_is_away_ends_and_says_what_is_left() {
    let sandbox = vendors(20, 10).await;
    let redis = Redis::start().await;
    let relay = patient(&sandbox, &redis)
        .set("worker.lease", "2s")
        .set("worker.drain", "0s")
        .set("redis.response_timeout", "500ms");
    let (mut service, changes) = stuck_everywhere(&sandbox, &relay).await;
    redis.signal("STOP");
    service.signal("TERM");
    assert_eq!(service.ended().await, Exit::Code(0));
    let log = service.log();
    assert!(log.contains("not everything is given back"), "{log}");
    assert!(log.contains("could not be given back"), "{log}");
    redis.signal("CONT");

    sandbox.set_faults(Faults::default());
    let other = relay.start(EVERY_ROLE).await;
    acknowledged(&sandbox, changes).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    other.stop().await;
}
