//! Fetches that fail, half-way or for days.

use harness::{
    redis::Redis,
    relay::Relay,
    vendors::{acknowledged, every_promise_held, vendors, vendors_with},
    waiting::{until, until_true},
};
use jiff::{Timestamp, ToSpan};
use sandbox::{Fault, Faults, SandboxOptions, VendorFaults};

use super::{
    EVERYTHING, fetched, fetching_once, hold_back, let_through, remember, remembered, swept,
};

#[tokio::test]
async fn a_fetch_that_fails_half_way_keeps_what_it_has_and_the_next_brings_the_rest() {
    const CHANGES: usize = 700;
    let sandbox = vendors(CHANGES, 200).await;
    let redis = Redis::start().await;
    let relay = fetching_once(&sandbox, &redis).set("alumniq.timeout", "5s");
    hold_back(&relay).await;
    // The capped answer and five days pass; the sixth is refused, broken off and reset until no try is left.
    let good = [Fault::None; 6];
    let bad = [
        Fault::ServerError,
        Fault::Truncate,
        Fault::Reset,
        Fault::Unavailable,
    ];
    sandbox.set_faults(Faults {
        alumniq: VendorFaults {
            operations: vec!["fetch".to_owned()],
            next: [&good[..], &bad].concat(),
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let service = relay.start(EVERYTHING).await;
    let error = until("the fetch fails", async || {
        remembered(&redis, "error").await
    })
    .await;
    assert!(error.contains("503"), "{error}");
    assert_eq!(remembered(&redis, "last_sweep").await, None);
    let before = fetched(&relay).await.as_u64().unwrap();
    assert!((1..CHANGES as u64).contains(&before), "{before}");

    // A person who asks for one day gets it, and the rest is still missing.
    relay.run(&["sync", "--on", "2001-01-01"]).await.expect(0);
    assert_eq!(remembered(&redis, "error").await, Some(error));
    assert_eq!(remembered(&redis, "last_sweep").await, None);

    // Time passes.
    remember(&redis, "last_started", 1).await;
    swept(&redis).await;
    assert_eq!(fetched(&relay).await, CHANGES);
    assert_eq!(remembered(&redis, "error").await, None);
    let_through(&relay).await;
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    service.stop().await;
}

#[tokio::test]
async fn after_days_of_failed_fetches_the_next_one_reaches_back_to_the_last_good_one() {
    const CHANGES: usize = 300;
    let sandbox = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: 100,
        days: 12,
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.lookback_days", "2");
    // What is configured is not enough.
    relay.run(&["sync"]).await.expect(0);
    let configured = fetched(&relay).await.as_u64().unwrap();
    assert!((1..CHANGES as u64).contains(&configured), "{configured}");
    // As a last good sweep eleven days ago would have left it.
    let last_sweep = Timestamp::now() - (11 * 24).hours();
    remember(&redis, "last_sweep", last_sweep.as_millisecond() as u64).await;
    let service = relay.start("producer").await;
    until_true("the rest is fetched", async || {
        fetched(&relay).await == CHANGES
    })
    .await;
    service.stop().await;
}
