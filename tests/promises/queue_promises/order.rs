//! Promises 3 and 4: oldest first, one at a time, and never an old change over a newer one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use harness::{
    namespace::{Namespace, dead, done, retry},
    redis::Redis,
    rows::change,
};
use jiff::Timestamp;
use jobs::{
    destination::{Destination::Crm, Vendor},
    order::order_key,
    outcome::DeadClass,
};
use queue::{executor::Transition, intake::NewChange, lease::Lease};
use redis::AsyncTypedCommands;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_workers_never_hold_one_lane_and_each_lane_goes_in_order() {
    const PEOPLE: usize = 25;
    const CHANGES: usize = 500;
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    // The newest first: the feed promises no order.
    let changes = (0..CHANGES).rev().map(|n| {
        let xid = (n % PEOPLE).to_string();
        change(&n.to_string(), Some(&xid), n as i64)
    });
    namespace.enqueue(changes.collect()).await;

    let held = Arc::new(Mutex::new(BTreeSet::new()));
    let applied = Arc::new(Mutex::new(BTreeMap::<String, Vec<u64>>::new()));
    let mut workers = Vec::new();
    for n in 0..8 {
        let (held, applied) = (Arc::clone(&held), Arc::clone(&applied));
        let namespace = Namespace::of_crm(&redis).await;
        workers.push(tokio::spawn(async move {
            loop {
                let worker = format!("worker-{n}");
                let claimed = namespace.claim_as(Crm, &worker, 1 + n % 3).await;
                if claimed.leases.is_empty() {
                    if namespace.books().await.in_flight == applied_so_far(&applied) {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
                for lease in claimed.leases {
                    assert!(held.lock().unwrap().insert(lease.lane.clone()), "{lease:?}");
                    tokio::task::yield_now().await;
                    let id = lease.change_id.parse().unwrap();
                    applied
                        .lock()
                        .unwrap()
                        .entry(lease.lane.clone())
                        .or_default()
                        .push(id);
                    held.lock().unwrap().remove(&lease.lane);
                    assert!(namespace.settle(Crm, &lease, done()).await);
                }
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let applied = applied.lock().unwrap();
    assert_eq!(applied.len(), PEOPLE);
    assert!(
        applied
            .values()
            .all(|ids| ids.is_sorted() && ids.len() == CHANGES / PEOPLE)
    );
}

/// Nothing is acknowledged in that test: all that is applied stays in flight.
fn applied_so_far(applied: &Mutex<BTreeMap<String, Vec<u64>>>) -> i64 {
    applied
        .lock()
        .unwrap()
        .values()
        .map(|ids| ids.len() as i64)
        .sum()
}

#[tokio::test]
async fn an_older_change_that_arrives_late_goes_first_if_its_lane_is_not_running() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![change("9", Some("ada"), 9)]).await;
    namespace
        .enqueue(vec![
            change("10", Some("ada"), 9),
            change("5", Some("ada"), 5),
        ])
        .await;
    for id in ["5", "9", "10"] {
        let lease = namespace.claim_one(Crm).await;
        assert_eq!(lease.change_id, id);
        assert!(namespace.settle(Crm, &lease, done()).await);
    }
}

#[tokio::test]
async fn an_older_change_that_arrives_after_a_newer_one_was_applied_is_stale() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![change("9", Some("ada"), 9)]).await;
    let newer = namespace.claim_one(Crm).await;
    // It arrives while the newer one is being applied, and nobody can know how that ends.
    namespace.enqueue(vec![change("5", Some("ada"), 5)]).await;
    assert!(namespace.claim(Crm).await.is_empty());
    assert!(namespace.settle(Crm, &newer, done()).await);
    assert!(namespace.claim(Crm).await.is_empty());
    assert_eq!(
        namespace.letter(Vendor::Crm, "5").await,
        Some(DeadClass::Stale)
    );

    // A replay does not change that; on purpose it can be applied, and what is newest stays known.
    namespace.replay(Vendor::Crm, "5", false).await;
    assert!(namespace.claim(Crm).await.is_empty());
    assert_eq!(
        namespace.letter(Vendor::Crm, "5").await,
        Some(DeadClass::Stale)
    );
    namespace.replay(Vendor::Crm, "5", true).await;
    let forced = namespace.claim_one(Crm).await;
    assert!(namespace.settle(Crm, &forced, done()).await);
    namespace.enqueue(vec![change("7", Some("ada"), 7)]).await;
    assert!(namespace.claim(Crm).await.is_empty());
    assert_eq!(
        namespace.letter(Vendor::Crm, "7").await,
        Some(DeadClass::Stale)
    );
}

#[tokio::test]
async fn an_older_change_goes_first_when_the_newer_one_that_ran_was_not_applied() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![change("9", Some("ada"), 9)]).await;
    let newer = namespace.claim_one(Crm).await;
    namespace.enqueue(vec![change("5", Some("ada"), 5)]).await;
    assert!(
        namespace
            .settle(Crm, &newer, dead(DeadClass::Rejected))
            .await
    );
    assert_eq!(namespace.claim_one(Crm).await.change_id, "5");
}

#[tokio::test]
async fn a_long_line_of_stale_changes_is_buried_without_waiting_for_a_call() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace
        .enqueue(vec![change("9999", Some("ada"), 9999)])
        .await;
    namespace.apply_all(Crm).await;
    let late = (1..=1000).map(|n| change(&n.to_string(), Some("ada"), n));
    namespace.enqueue(late.collect()).await;
    let mut calls = 0;
    while namespace.books().await.dead < 1000 {
        let claimed = namespace.claim_as(Crm, "worker", 10).await;
        assert!(claimed.leases.is_empty());
        let over = namespace.books().await.dead == 1000;
        assert!(
            over || claimed.look_again.is_some_and(|wait| wait.is_zero()),
            "{claimed:?}"
        );
        calls += 1;
    }
    assert!(calls > 3, "a call buries a bounded number");
}

/// The older of two changes of ada is dead, the newer one is under lease.
async fn overtaken(namespace: &Namespace) -> Lease {
    namespace
        .enqueue(vec![
            change("5", Some("ada"), 5),
            change("9", Some("ada"), 9),
        ])
        .await;
    let older = namespace.claim_one(Crm).await;
    assert!(
        namespace
            .settle(Crm, &older, dead(DeadClass::Rejected))
            .await
    );
    let newer = namespace.claim_one(Crm).await;
    assert_eq!(newer.change_id, "9");
    newer
}

#[tokio::test]
async fn a_replay_waits_for_the_newer_change_that_is_under_lease_and_then_is_stale() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let newer = overtaken(&namespace).await;
    namespace.replay(Vendor::Crm, "5", false).await;
    assert!(namespace.claim(Crm).await.is_empty(), "one lane, one lease");
    assert!(namespace.settle(Crm, &newer, done()).await);
    assert!(namespace.claim(Crm).await.is_empty());
    assert_eq!(
        namespace.letter(Vendor::Crm, "5").await,
        Some(DeadClass::Stale)
    );
}

#[tokio::test]
async fn a_replay_on_purpose_waits_for_its_lane_and_leaves_what_is_newest_known() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let newer = overtaken(&namespace).await;
    namespace.replay(Vendor::Crm, "5", true).await;
    assert!(namespace.claim(Crm).await.is_empty(), "one lane, one lease");
    assert!(namespace.settle(Crm, &newer, done()).await);
    let newest = namespace.snapshot().await.hash("applied:crm")["x:ada"].to_owned();
    assert!(newest.ends_with(" 9"), "{newest}");
    let forced = namespace.claim_one(Crm).await;
    assert_eq!(forced.change_id, "5");
    // It fails once, and the operator's word still holds.
    assert!(namespace.settle(Crm, &forced, retry(1)).await);
    namespace.age("due:crm").await;
    let forced = namespace.claim_one(Crm).await;
    assert!(namespace.settle(Crm, &forced, done()).await);
    let snapshot = namespace.snapshot().await;
    assert_eq!(snapshot.hash("applied:crm")["x:ada"], newest);
    assert!(snapshot.hash("forced:crm").is_empty());
}

#[tokio::test]
async fn an_older_change_does_not_go_before_a_newer_one_whose_attempt_has_an_unknown_end() {
    let redis = Redis::start().await;
    for (name, end) in [("lost", retry(1)), ("abandoned", Transition::Abandon)] {
        let mut namespace = Namespace::with(&redis, |settings| {
            settings.destinations = vec![Crm];
            settings.namespace = name.to_owned();
        })
        .await;
        let newer = overtaken(&namespace).await;
        // The CRM may have it.
        assert!(namespace.settle(Crm, &newer, end).await);
        namespace.replay(Vendor::Crm, "5", false).await;
        namespace.age("due:crm").await;
        let lease = namespace.claim_one(Crm).await;
        assert_eq!(lease.change_id, "9");
        let class = namespace.letter(Vendor::Crm, "5").await;
        assert_eq!(class, Some(DeadClass::Stale));
    }
}

#[tokio::test]
async fn an_older_change_does_not_go_before_a_newer_one_whose_worker_was_lost() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    overtaken(&namespace).await;
    namespace.age("lease:crm").await;
    namespace.replay(Vendor::Crm, "5", false).await;
    let lease = namespace.claim_one(Crm).await;
    assert_eq!(lease.change_id, "9");
    let class = namespace.letter(Vendor::Crm, "5").await;
    assert_eq!(class, Some(DeadClass::Stale));
}

#[tokio::test]
async fn what_was_changed_at_one_moment_or_at_none_goes_by_its_number() {
    let redis = Redis::start().await;
    for changed_on in [Some(7), None] {
        let namespace = Namespace::of_crm(&redis).await;
        redis.connect().await.flushall().await.unwrap();
        let at = |id: &str| {
            let changed_on = changed_on.and_then(|at| Timestamp::from_millisecond(at).ok());
            NewChange {
                order: order_key(changed_on, id),
                ..change(id, Some("ada"), 0)
            }
        };
        namespace.enqueue(vec![at("100"), at("20")]).await;
        for id in ["20", "100"] {
            let lease = namespace.claim_one(Crm).await;
            assert_eq!(lease.change_id, id);
            assert!(namespace.settle(Crm, &lease, done()).await);
        }
        namespace.enqueue(vec![at("99"), at("101")]).await;
        assert_eq!(namespace.claim_one(Crm).await.change_id, "101");
        assert_eq!(
            namespace.letter(Vendor::Crm, "99").await,
            Some(DeadClass::Stale)
        );
    }
}
