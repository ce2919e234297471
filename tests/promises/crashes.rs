//! Processes and Redis die in mid-run: nothing is lost, early or out of order.

use std::{collections::BTreeMap, process::Command, time::Duration};

use harness::{
    redis::Redis,
    relay::Relay,
    vendors::{acknowledged, every_promise_held, repeats, vendors},
    waiting::{until, until_true},
};
use sandbox::{Faults, Forgotten, Sandbox, VendorFaults};

/// Slow enough that a kill meets work in progress.
fn slow_vendors() -> Faults {
    let slow = |latency_ms| VendorFaults {
        latency_ms,
        ..VendorFaults::default()
    };
    Faults {
        alumniq: slow(20),
        crm: slow(40),
        salsa: slow(80),
    }
}

/// Few calls in flight, short leases, everything soon.
fn configured(sandbox: &Sandbox, redis: &Redis) -> Relay {
    Relay::new(sandbox, Some(redis))
        .set("worker.lease", "2s")
        .set("crm.concurrency", "6")
        .set("alumniq.timeout", "1s")
        .set("alumniq.poll", "every 10s")
}

async fn applied_to_crm(sandbox: &Sandbox, count: usize) {
    let what = format!("the CRM has {count} changes");
    until_true(&what, async || {
        sandbox
            .report()
            .applied
            .values()
            .next()
            .is_some_and(|crm| *crm >= count)
    })
    .await;
}

#[tokio::test]
async fn a_sigkill_of_each_role_in_mid_run_loses_nothing() {
    const CHANGES: usize = 900;
    let sandbox = vendors(CHANGES, 300).await;
    sandbox.set_faults(slow_vendors());
    let redis = Redis::start().await;
    let relay = configured(&sandbox, &redis);
    let mut fleet = BTreeMap::new();
    for roles in ["producer", "crm", "salsa", "acknowledger"] {
        fleet.insert(roles, relay.start(roles).await);
    }
    for (step, roles) in ["producer", "crm", "salsa", "acknowledger"]
        .into_iter()
        .enumerate()
    {
        applied_to_crm(&sandbox, 40 + step * 60).await;
        fleet.remove(roles).unwrap().kill9().await;
        fleet.insert(roles, relay.start(roles).await);
    }
    acknowledged(&sandbox, CHANGES).await;

    let report = sandbox.report();
    every_promise_held(&report, &[], &[]);
    // A kill repeats at most what was in flight: 6 CRM calls, 4 Salsa calls of 20 changes.
    assert!(
        repeats(&report) <= 6 + 4 * 20,
        "{} repeats",
        repeats(&report)
    );
    let status = relay.status().await;
    assert_eq!(status["books"]["difference"], 0, "{status}");
    assert_eq!(status["books"]["acknowledged"], CHANGES);
}

#[tokio::test]
async fn a_worker_that_slept_past_its_lease_is_refused_when_it_wakes() {
    const CHANGES: usize = 400;
    let sandbox = vendors(CHANGES, 60).await;
    sandbox.set_faults(slow_vendors());
    let redis = Redis::start().await;
    let relay = configured(&sandbox, &redis);
    let sleeper = relay.start("crm,salsa").await;
    let producer = relay.start("producer,acknowledger").await;
    applied_to_crm(&sandbox, 20).await;
    // Stopped while it holds leases whose calls were sent.
    sleeper.signal("STOP");
    let other = relay.start("crm,salsa").await;
    until_true("the others take over what the sleeper held", async || {
        sandbox
            .report()
            .applied
            .values()
            .all(|applied| *applied == CHANGES)
    })
    .await;
    sleeper.signal("CONT");
    let refused = until("its settles are refused", async || {
        let status = relay.status().await;
        status["refused_settles"]
            .as_u64()
            .filter(|refused| *refused > 0)
    })
    .await;
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    println!("{refused} settles were refused");
    for service in [sleeper, producer, other] {
        service.stop().await;
    }
    assert_eq!(relay.status().await["books"]["difference"], 0);
}

#[tokio::test]
async fn a_redis_that_is_killed_and_comes_back_loses_nothing() {
    const CHANGES: usize = 600;
    let sandbox = vendors(CHANGES, 200).await;
    sandbox.set_faults(slow_vendors());
    let mut redis = Redis::start().await;
    let relay = configured(&sandbox, &redis);
    let service = relay.start("producer,crm,salsa,acknowledger").await;
    for applied in [50, 250] {
        applied_to_crm(&sandbox, applied).await;
        redis.kill9().await;
    }
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    service.stop().await;
}

#[tokio::test]
async fn what_an_emptied_redis_forgets_is_fetched_again_and_applied() {
    const CHANGES: usize = 600;
    let sandbox = vendors(CHANGES, 200).await;
    sandbox.set_faults(slow_vendors());
    let redis = Redis::start().await;
    let relay = configured(&sandbox, &redis);
    let service = relay.start("producer,crm,salsa,acknowledger").await;
    applied_to_crm(&sandbox, 200).await;
    let _: () = redis::cmd("FLUSHALL")
        .query_async(&mut redis.connect().await)
        .await
        .unwrap();
    acknowledged(&sandbox, CHANGES).await;

    let report = sandbox.report();
    assert_eq!((report.acknowledged, report.unprocessed), (CHANGES, 0));
    // What was applied before is applied again, and so an older change may follow a newer one: the memory
    // of what is newest went with Redis. In the end everybody has the newest.
    assert!(report.applied.values().all(|applied| *applied == CHANGES));
    assert_eq!(report.acknowledged_early, Vec::<String>::new());
    assert_eq!(report.stale_overwrites, []);
    service.stop().await;
}

#[tokio::test]
async fn a_redis_that_comes_back_with_an_older_state_is_noticed_and_read_in_again() {
    const CHANGES: usize = 300;
    let sandbox = vendors(CHANGES, 40).await;
    sandbox.set_faults(slow_vendors());
    let mut redis = Redis::start().await;
    let relay = configured(&sandbox, &redis);
    // Nobody tells AlumnIQ yet: what was told is listed no more.
    let service = relay.start("producer,crm,salsa").await;
    applied_to_crm(&sandbox, 40).await;
    let older = redis.path("older");
    let copied = Command::new("cp")
        .args([
            "-r".as_ref(),
            redis.path("appendonlydir").as_os_str(),
            older.as_os_str(),
        ])
        .status();
    assert!(copied.unwrap().success());
    applied_to_crm(&sandbox, 120).await;
    redis.stop().await;
    // Nothing is claimed any more: calls under way end within three times what Salsa takes.
    until_true("the calls under way have ended", async || {
        let before = sandbox.report().applied;
        tokio::time::sleep(Duration::from_millis(3 * 80)).await;
        sandbox.report().applied == before
    })
    .await;
    // What was applied is repeated, and that in its order.
    sandbox.forgotten(Forgotten::default());
    std::fs::remove_dir_all(redis.path("appendonlydir")).unwrap();
    std::fs::rename(&older, redis.path("appendonlydir")).unwrap();
    redis.start_again().await;

    until("it is noticed", async || {
        let log = service.log();
        log.contains("went back in time").then_some(())
    })
    .await;
    until_true("both destinations have everything", async || {
        let applied = sandbox.report().applied;
        applied.values().all(|applied| *applied == CHANGES)
    })
    .await;
    let acknowledger = relay.start("acknowledger").await;
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    assert_eq!(relay.status().await["books"]["difference"], 0);
    drop((service, acknowledger));
}
