//! Processes that work side by side share the calls that are allowed at a time.

use std::collections::BTreeMap;

use harness::{
    redis::Redis,
    relay::Relay,
    vendors::{acknowledged, every_promise_held, vendors},
    waiting::until_true,
};
use redis::AsyncTypedCommands;
use sandbox::{Faults, VendorFaults};

#[tokio::test]
async fn a_process_that_comes_to_a_full_fleet_gets_half_of_the_calls_and_all_once_the_other_is_killed()
 {
    const CHANGES: usize = 800;
    const CALLS: usize = 8;
    let sandbox = vendors(CHANGES, CHANGES).await;
    sandbox.set_faults(Faults {
        crm: VendorFaults {
            latency_ms: 100,
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("worker.lease", "2s")
        .set("crm.concurrency", &CALLS.to_string());
    let mut connection = redis.connect().await;
    // How many calls each process has under way.
    let mut calls_are = async |what: &str, expected: &[usize]| {
        until_true(what, async || {
            let mut calls: BTreeMap<String, usize> = BTreeMap::new();
            for lease in connection.hvals("{sandbox}:running:crm").await.unwrap() {
                let worker = lease.split(' ').nth(1).unwrap().to_owned();
                *calls.entry(worker).or_default() += 1;
            }
            calls.into_values().eq(expected.iter().copied())
        })
        .await;
    };

    let first = relay.start("producer,crm,salsa,acknowledger").await;
    calls_are("the first has all calls", &[CALLS]).await;
    let second = relay.start("producer,crm,salsa,acknowledger").await;
    calls_are("each has half of them", &[CALLS / 2, CALLS / 2]).await;
    first.kill9().await;
    calls_are("the second has all of them", &[CALLS]).await;
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    second.stop().await;
}
