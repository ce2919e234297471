//! Promises 2 and 8: nothing is lost, whoever dies, and what kills its workers stops.

use harness::{
    namespace::{LONG, Namespace, done, retry},
    redis::Redis,
    rows::change,
};
use jobs::{
    destination::{Destination::Crm, Vendor},
    outcome::DeadClass,
};

#[tokio::test]
async fn a_settle_under_a_lost_lease_is_refused_and_counted() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![change("1", Some("ada"), 1)]).await;
    let lost = namespace.claim_one(Crm).await;
    namespace.age("lease:crm").await;
    let held = namespace.claim_one(Crm).await;
    assert!(held.token > lost.token);

    let before = namespace.snapshot().await;
    assert!(!namespace.settle(Crm, &lost, done()).await);
    let still_held = [(lost.lane.clone(), lost.token)];
    assert_eq!(
        namespace.queue.renew(Crm, LONG, &still_held).await.unwrap(),
        [false]
    );
    let after = namespace.snapshot().await;
    for key in before.keys().filter(|key| *key != "counters") {
        assert_eq!(before.list(key), after.list(key), "{key} changed");
    }
    assert_eq!(namespace.queue.status().await.unwrap().refused_settles, 1);
    assert!(namespace.settle(Crm, &held, done()).await);
    assert!(
        !namespace.settle(Crm, &held, done()).await,
        "an answer that was lost is asked for again"
    );
    assert_eq!(namespace.books().await.in_flight, 1);
}

#[tokio::test]
async fn a_lease_from_before_redis_was_emptied_settles_nothing() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![change("2", Some("ada"), 2)]).await;
    let before = namespace.claim_one(Crm).await;
    redis::cmd("FLUSHALL")
        .exec_async(&mut namespace.connection)
        .await
        .unwrap();
    // Fetched again, and now AlumnIQ lists an older change, too.
    let again = vec![change("1", Some("ada"), 1), change("2", Some("ada"), 2)];
    assert_eq!(namespace.enqueue(again).await.enqueued, 2);
    let after = namespace.claim_one(Crm).await;
    assert_ne!(after.token, before.token);
    assert!(
        !namespace.settle(Crm, &before, done()).await,
        "it would mark change 1 as applied"
    );
}

#[tokio::test]
async fn leases_and_retries_survive_a_restart_and_a_kill_of_redis() {
    let mut redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let changes = ["1", "2", "3"].map(|id| change(id, Some(id), 0));
    namespace.enqueue(changes.into()).await;
    let leases = namespace.claim_as(Crm, "worker", 2).await.leases;
    assert!(namespace.settle(Crm, &leases[0], retry(1)).await);

    redis.restart().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    assert_eq!(namespace.claim_one(Crm).await.change_id, "3");
    redis.kill9().await;
    namespace = Namespace::of_crm(&redis).await;
    let line = &namespace.queue.status().await.unwrap().destinations[&Crm];
    assert_eq!((line.running, line.retry, line.ready), (2, 1, 0));
    assert!(
        namespace.settle(Crm, &leases[1], done()).await,
        "its lease still holds"
    );
    namespace.age("due:crm").await;
    let second_attempt = namespace.claim_one(Crm).await;
    assert_eq!(
        (second_attempt.change_id.as_str(), second_attempt.attempts),
        ("1", 1)
    );
}

#[tokio::test]
async fn a_change_that_keeps_killing_its_workers_dies_as_crashed() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace
        .enqueue(vec![
            change("1", Some("ada"), 1),
            change("2", Some("ada"), 2),
        ])
        .await;
    for _ in 0..5 {
        assert_eq!(namespace.claim_one(Crm).await.change_id, "1");
        namespace.age("lease:crm").await;
    }
    assert_eq!(
        namespace.claim_one(Crm).await.change_id,
        "2",
        "the line goes on"
    );
    assert_eq!(
        namespace.letter(Vendor::Crm, "1").await,
        Some(DeadClass::Crashed)
    );
    let timeline = namespace.queue.timeline("1").await.unwrap().unwrap();
    let events = timeline
        .events
        .iter()
        .map(|event| event["event"].as_str().unwrap());
    assert_eq!(events.filter(|event| *event == "lease_expired").count(), 5);
}

#[tokio::test]
async fn a_row_that_redis_lost_is_waited_for_and_not_passed_over() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let both = || vec![change("1", Some("ada"), 1), change("2", Some("ada"), 2)];
    namespace.enqueue(both()).await;
    namespace.lose_row("1").await;
    assert!(namespace.claim(Crm).await.is_empty());
    assert_eq!(namespace.enqueue(both()).await.enqueued, 0);
    namespace.age("due:crm").await;
    for id in ["1", "2"] {
        let lease = namespace.claim_one(Crm).await;
        assert_eq!(lease.change_id, id);
        assert!(namespace.settle(Crm, &lease, done()).await);
    }
    assert_eq!(namespace.acknowledge_all().await, ["1", "2"]);
    assert_eq!(namespace.books().await.difference, 0);
}
