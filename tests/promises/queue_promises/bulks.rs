//! Bulks: one worker at a time, nothing after a cancellation, and counts that add up.

use harness::{
    namespace::{LONG, Namespace, dead, tester},
    redis::Redis,
    rows,
};
use jobs::{
    destination::{Destination::Crm, Vendor},
    outcome::DeadClass,
};
use queue::{
    audit::{AuditAction, AuditFilter, Handling, NAMED},
    bulk::{BulkAction, BulkClaim, BulkLease, BulkNews, BulkOrder, BulkState, BulkView, Cancelled},
    letters::{Handled, LetterFilter},
};

/// A bulk over six letters, which nobody works on yet.
async fn begun(redis: &Redis, action: BulkAction) -> (Namespace, String) {
    let namespace = Namespace::of_crm(redis).await;
    let changes = (1..=6).map(|n| rows::change(&n.to_string(), Some(&format!("p{n}")), n));
    namespace.enqueue(changes.collect()).await;
    for lease in namespace.claim(Crm).await {
        let end = dead(DeadClass::Rejected);
        assert!(namespace.settle(Crm, &lease, end).await);
    }
    let order = BulkOrder {
        action,
        filter: LetterFilter::default(),
        rate: None,
        reason: "they left".to_owned(),
        apply_stale: false,
        keep_unacknowledged: false,
        by: tester(),
    };
    let id = namespace.queue.start_bulk(&order, 6, "").await.unwrap();
    (namespace, id)
}

async fn claimed(namespace: &Namespace, worker: &str) -> Option<BulkLease> {
    claimed_only(namespace, None, worker).await
}

async fn claimed_only(
    namespace: &Namespace,
    only: Option<&str>,
    worker: &str,
) -> Option<BulkLease> {
    let claim = namespace.queue.claim_bulk(only, worker, LONG);
    match claim.await.unwrap() {
        BulkClaim::Lease(bulk) => Some(*bulk),
        BulkClaim::Wait(_) => None,
    }
}

async fn shown(namespace: &Namespace, id: &str) -> BulkView {
    namespace.queue.bulk(id).await.unwrap().unwrap()
}

/// Handles letters as a step of `bulk`.
async fn step(namespace: &Namespace, bulk: &BulkLease, ids: &[&str]) -> Handled {
    let letters: Vec<_> = ids
        .iter()
        .map(|id| (Vendor::Crm, (*id).to_owned()))
        .collect();
    let (by, step) = (tester(), bulk.step());
    let handling = Handling {
        by: &by,
        bulk: Some(&step),
        entry: None,
    };
    let queue = &namespace.queue;
    match bulk.order.action {
        BulkAction::Replay => queue.replay(&letters, false, handling).await.unwrap().0,
        BulkAction::Discard => queue
            .discard(&letters, false, "left", handling)
            .await
            .unwrap(),
    }
}

async fn dead_letters(namespace: &Namespace) -> u64 {
    let all = LetterFilter::default();
    namespace.queue.letters(&all, None, 1).await.unwrap().total
}

fn ended() -> BulkNews {
    BulkNews {
        ended: Some(Ok(())),
        ..BulkNews::default()
    }
}

#[tokio::test]
async fn a_worker_that_lost_its_bulk_can_neither_step_nor_keep_nor_end_it() {
    for action in [BulkAction::Replay, BulkAction::Discard] {
        let redis = Redis::start().await;
        let (mut namespace, id) = begun(&redis, action).await;
        let first = claimed(&namespace, "first").await.unwrap();
        assert!(
            claimed(&namespace, "second").await.is_none(),
            "it is the first one's"
        );
        assert_eq!(step(&namespace, &first, &["1"]).await.handled, 1);
        namespace.age("bulking").await;
        let second = claimed(&namespace, "second").await.unwrap();
        assert_eq!(second.id, id);

        let late = step(&namespace, &first, &["2", "3"]).await;
        assert_eq!((late.handled, late.gone), (0, 0));
        assert_eq!(dead_letters(&namespace).await, 5, "nothing was done");
        let queue = &namespace.queue;
        assert!(!queue.keep_bulk(&first, LONG, &ended()).await.unwrap());
        assert_eq!(shown(&namespace, &id).await.state, BulkState::Running);
        assert!(
            claimed(&namespace, "third").await.is_none(),
            "nor given away"
        );

        assert_eq!(
            step(&namespace, &second, &["2", "3", "77"]).await.handled,
            2
        );
        let bulk = shown(&namespace, &id).await;
        assert_eq!((bulk.total, bulk.handled, bulk.gone), (6, 3, 1));
        // What the first one had done before it lost the bulk was done.
        let done_before = BulkNews {
            handled: 1,
            gone: 1,
            ..BulkNews::default()
        };
        assert!(!queue.keep_bulk(&first, LONG, &done_before).await.unwrap());
        let bulk = shown(&namespace, &id).await;
        assert_eq!((bulk.handled, bulk.gone), (4, 2));
    }
}

#[tokio::test]
async fn nothing_follows_a_cancellation_and_it_is_told_once() {
    for action in [BulkAction::Replay, BulkAction::Discard] {
        let redis = Redis::start().await;
        let (namespace, id) = begun(&redis, action).await;
        let queue = &namespace.queue;
        let worker = claimed(&namespace, "worker").await.unwrap();
        assert_eq!(step(&namespace, &worker, &["1", "2"]).await.handled, 2);
        let by = tester();
        assert_eq!(queue.cancel_bulk(&id, &by).await.unwrap(), Cancelled::Now);
        assert_eq!(step(&namespace, &worker, &["3", "4"]).await.handled, 0);
        assert!(!queue.keep_bulk(&worker, LONG, &ended()).await.unwrap());
        assert_eq!(
            queue.cancel_bulk(&id, &by).await.unwrap(),
            Cancelled::TooLate
        );
        for nobodys in ["1", "", "x y", "1 2", "\n"] {
            let met = queue.cancel_bulk(nobodys, &by).await.unwrap();
            assert_eq!(met, Cancelled::Unknown, "{nobodys:?}");
        }
        assert!(claimed(&namespace, "another").await.is_none());
        let bulk = shown(&namespace, &id).await;
        assert_eq!((bulk.state, bulk.handled), (BulkState::Cancelled, 2));
        assert!(bulk.ended_at.is_some());
        assert_eq!(dead_letters(&namespace).await, 4);

        let audit = queue
            .audit(None, 50, &AuditFilter::default())
            .await
            .unwrap();
        let told: Vec<_> = audit
            .items
            .iter()
            .map(|entry| {
                (
                    entry.action,
                    entry.count,
                    entry.bulk.as_deref(),
                    entry.reason.as_deref(),
                )
            })
            .collect();
        let (handled, reason) = match action {
            BulkAction::Replay => (AuditAction::Replayed, None),
            BulkAction::Discard => (AuditAction::Discarded, Some("left")),
        };
        let of = Some(id.as_str());
        assert_eq!(
            told,
            [
                (AuditAction::BulkCancelled, 0, of, None),
                (handled, 2, of, reason),
                (AuditAction::BulkStarted, 6, of, Some("they left")),
            ]
        );
        assert_eq!(audit.items[2].detail.as_deref(), Some(action.as_str()));
        assert!(audit.items.iter().all(|entry| entry.by == "tester"));
    }
}

#[tokio::test]
async fn the_last_word_of_a_worker_counts_with_it_what_its_steps_could_not() {
    let redis = Redis::start().await;
    let (namespace, id) = begun(&redis, BulkAction::Replay).await;
    let worker = claimed(&namespace, "worker").await.unwrap();
    assert_eq!(
        step(&namespace, &worker, &["1", "2", "3", "77"]).await.gone,
        1
    );
    let last = BulkNews {
        handled: 2,
        gone: 1,
        ..ended()
    };
    assert!(
        namespace
            .queue
            .keep_bulk(&worker, LONG, &last)
            .await
            .unwrap()
    );
    let bulk = shown(&namespace, &id).await;
    assert_eq!(
        (bulk.state, bulk.handled, bulk.gone),
        (BulkState::Done, 5, 2)
    );
    assert!(claimed(&namespace, "another").await.is_none(), "it is over");
    let by = tester();
    let met = namespace.queue.cancel_bulk(&id, &by).await.unwrap();
    assert_eq!(met, Cancelled::TooLate);
    let bulk = shown(&namespace, &id).await;
    assert_eq!((bulk.handled, bulk.gone), (5, 2));
}

#[tokio::test]
async fn an_action_is_one_entry_of_the_audit_however_many_steps_it_takes() {
    const MANY: usize = 450;
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let changes = (0..MANY).map(|n| rows::change(&n.to_string(), Some(&format!("p{n}")), n as i64));
    namespace.enqueue(changes.collect()).await;
    let die = async || {
        let mut died = 0;
        while died < MANY {
            for lease in namespace.claim(Crm).await {
                let end = dead(DeadClass::Rejected);
                assert!(namespace.settle(Crm, &lease, end).await);
                died += 1;
            }
        }
    };
    let queue = &namespace.queue;
    let letters: Vec<_> = (0..MANY).map(|n| (Vendor::Crm, n.to_string())).collect();
    let entries = async || {
        let all = AuditFilter::default();
        let page = queue.audit(None, 100, &all).await.unwrap();
        let entries = page.items.into_iter();
        entries
            .map(|entry| (entry.action, entry.count, entry.change_ids.len()))
            .collect::<Vec<_>>()
    };
    die().await;
    queue.replay(&letters, false, &tester()).await.unwrap();
    let first = (AuditAction::Replayed, MANY as u64, NAMED);
    assert_eq!(entries().await, [first]);

    die().await;
    let order = BulkOrder {
        action: BulkAction::Discard,
        filter: LetterFilter::default(),
        rate: None,
        reason: "they left".to_owned(),
        apply_stale: false,
        keep_unacknowledged: false,
        by: tester(),
    };
    queue.start_bulk(&order, MANY as u64, "").await.unwrap();
    let bulk = claimed(&namespace, "a worker").await.unwrap();
    for letters in letters.chunks(100) {
        let ids: Vec<&str> = letters.iter().map(|(_, id)| id.as_str()).collect();
        step(&namespace, &bulk, &ids).await;
    }
    let discarded = (AuditAction::Discarded, MANY as u64, NAMED);
    let started = (AuditAction::BulkStarted, MANY as u64, 0);
    assert_eq!(entries().await, [discarded, started, first]);
}

#[tokio::test]
async fn a_timeline_says_how_many_older_entries_were_removed() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace
        .enqueue(vec![rows::change("1", Some("p1"), 0)])
        .await;
    for round in 1..=80_u64 {
        let lease = namespace.claim_one(Crm).await;
        let end = dead(DeadClass::Rejected);
        assert!(namespace.settle(Crm, &lease, end).await);
        namespace.replay(Vendor::Crm, "1", false).await;
        let timeline = namespace.queue.timeline("1").await.unwrap().unwrap();
        // `fetched` is no entry of the list.
        let kept = &timeline.events[1..];
        match (2 * round).checked_sub(100).filter(|removed| *removed > 0) {
            None => assert_eq!(kept.len() as u64, 2 * round),
            Some(removed) => {
                assert_eq!(kept.len(), 101);
                assert_eq!(kept[0]["event"], "older_removed");
                assert_eq!(kept[0]["count"], removed);
                assert_eq!(kept[100]["event"], "replayed");
            }
        }
    }
}

#[tokio::test]
async fn who_asks_for_one_bulk_gets_no_other() {
    let redis = Redis::start().await;
    let (namespace, first) = begun(&redis, BulkAction::Replay).await;
    let order = claimed_only(&namespace, Some(&first), "a")
        .await
        .unwrap()
        .order;
    let second = namespace.queue.start_bulk(&order, 6, "").await.unwrap();
    assert!(claimed_only(&namespace, Some(&first), "b").await.is_none());
    let bulk = claimed_only(&namespace, Some(&second), "b").await;
    assert_eq!(bulk.unwrap().id, second);
    assert!(claimed_only(&namespace, Some("0"), "b").await.is_none());
}
