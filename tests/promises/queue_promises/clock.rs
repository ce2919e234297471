//! Redis' clock is set back: what was stored before lies in the future then, and nothing waits for it.

use std::time::Duration;

use harness::{
    namespace::{LONG, Namespace, done},
    redis::Redis,
    rows::change,
    waiting::until_true,
};
use jobs::destination::Destination::Crm;
use queue::acknowledgement::{AckClaim, AckLimits};
use redis::AsyncTypedCommands;

/// A minute more than an hour: further than any lease, pause or wait here.
const SET_BACK: Duration = Duration::from_secs(3_660);

/// To the scripts it is the same whether the clock goes back or the newest token lies that far ahead.
async fn set_back(namespace: &mut Namespace) {
    let ahead = namespace.queue.now().await.unwrap() + SET_BACK.as_millis() as u64;
    let key = namespace.key("token");
    namespace.connection.set(key, ahead * 1000).await.unwrap();
}

fn patient(max_wait: Duration) -> AckLimits {
    AckLimits {
        max_batch: 100,
        max_wait,
        eager: false,
        lease: LONG,
    }
}

#[tokio::test]
async fn alumniq_is_told_in_time_although_the_clock_was_set_back() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let rows = vec![change("1", Some("ada"), 1), change("2", Some("bob"), 1)];
    namespace.enqueue(rows).await;
    set_back(&mut namespace).await;
    let lease = &namespace.claim_as(Crm, "worker", 1).await.leases[0];
    assert!(namespace.settle(Crm, lease, done()).await);
    let wait = Duration::from_secs(30);
    let claim = namespace.queue.claim_acknowledgements(&patient(wait)).await;
    match claim.unwrap() {
        AckClaim::Wait(Some(waits)) => assert!(waits <= wait, "{waits:?}"),
        other => panic!("{other:?}"),
    }
    until_true("its time comes", async || {
        let limits = patient(Duration::from_millis(200));
        let claim = namespace.queue.claim_acknowledgements(&limits).await;
        matches!(claim.unwrap(), AckClaim::Batch(_))
    })
    .await;
}

#[tokio::test]
async fn what_was_leased_before_the_clock_was_set_back_is_taken_over() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![change("1", Some("ada"), 1)]).await;
    namespace.claim_one(Crm).await;
    // As a lease of a moment that was taken before stands in Redis afterwards.
    set_back(&mut namespace).await;
    let now = namespace.queue.now().await.unwrap() + SET_BACK.as_millis() as u64;
    let key = namespace.key("lease:crm");
    namespace
        .connection
        .zadd(key, "x:ada", now + 300)
        .await
        .unwrap();
    until_true("its lease ends", async || {
        !namespace.claim(Crm).await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_lasts_longer_because_the_clock_was_set_back_is_cut_short() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let key = namespace.key("leader");
    let hour = SET_BACK.as_millis() as u64;
    namespace
        .connection
        .pset_ex(key, "dead", hour)
        .await
        .unwrap();
    let leading = namespace.queue.leading("heir", Duration::from_secs(15));
    let leading = leading.await.unwrap();
    assert!(leading.lead.is_none());
    assert!(leading.ends <= Duration::from_secs(60), "{leading:?}");
}

#[tokio::test]
async fn a_clock_that_is_right_is_left_alone() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let rows = (0..500).map(|n| change(&n.to_string(), None, n)).collect();
    namespace.enqueue(rows).await;
    namespace.apply_all(Crm).await;
    while !namespace.acknowledge_all().await.is_empty() {}
    assert_eq!(namespace.snapshot().await.string("clock"), None);
}
