//! Promises 1 and 6: what is acknowledged, what is recognised, and the books over it.

use std::{borrow::Cow, time::Duration};

use harness::{
    namespace::{LATE, LONG, Namespace, dead, done, retry},
    redis::Redis,
    rows::{change, undecodable},
};
use jobs::{
    destination::{
        Destination::{Crm, Salsa},
        Vendor,
    },
    outcome::DeadClass,
};
use queue::{settlement::Settlement, verdict::SettleVerdict};

fn one() -> Vec<queue::intake::NewChange> {
    vec![change("1", Some("ada"), 1)]
}

#[tokio::test]
async fn a_change_is_acknowledged_only_after_both_destinations_took_it() {
    let redis = Redis::start().await;
    let namespace = Namespace::new(&redis).await;
    namespace.enqueue(one()).await;
    namespace.apply_all(Salsa).await;
    assert!(namespace.acknowledge_all().await.is_empty());
    let lease = namespace.claim_one(Crm).await;
    assert!(
        namespace
            .settle(Crm, &lease, dead(DeadClass::Rejected))
            .await
    );
    assert!(namespace.acknowledge_all().await.is_empty());
    namespace.replay(Vendor::Crm, "1", false).await;
    assert!(namespace.acknowledge_all().await.is_empty());
    namespace.apply_all(Crm).await;
    assert_eq!(namespace.acknowledge_all().await, ["1"]);
}

#[tokio::test]
async fn a_done_change_is_recognised_and_acknowledged_again_when_it_is_listed_after_the_put() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(one()).await;
    namespace.apply_all(Crm).await;
    assert_eq!(namespace.acknowledge_all().await, ["1"]);
    // A fetch that began before the PUT may well list it.
    assert_eq!(namespace.enqueue(one()).await.duplicates, 1);
    assert!(namespace.acknowledge_all().await.is_empty());
    for acknowledged in 1..4 {
        let taken = namespace.queue.enqueue(LATE, &one()).await.unwrap();
        assert_eq!((taken.enqueued, taken.listed_again), (0, 1));
        let in_vain = u64::from(acknowledged > 1);
        assert_eq!(taken.still_listed, in_vain, "{acknowledged} times");
        assert!(namespace.claim(Crm).await.is_empty(), "it was applied");
        assert_eq!(namespace.acknowledge_all().await, ["1"]);
    }
    let books = namespace.books().await;
    assert_eq!(
        (books.fetched, books.acknowledged, books.difference),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn a_discarded_change_that_alumniq_was_told_of_is_told_again_when_it_is_still_listed() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(one()).await;
    let lease = namespace.claim_one(Crm).await;
    assert!(
        namespace
            .settle(Crm, &lease, dead(DeadClass::Rejected))
            .await
    );
    namespace.discard(Vendor::Crm, "1", false).await;
    for again in 1..=2 {
        assert_eq!(namespace.acknowledge_all().await, ["1"]);
        let books = namespace.books().await;
        assert_eq!((books.discarded, books.difference), (1, 0), "time {again}");
        namespace.queue.enqueue(LATE, &one()).await.unwrap();
    }
}

#[tokio::test]
async fn a_change_discarded_without_acknowledging_is_never_acknowledged() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::new(&redis).await;
    namespace.enqueue(one()).await;
    let lease = namespace.claim_one(Crm).await;
    assert!(
        namespace
            .settle(Crm, &lease, dead(DeadClass::Rejected))
            .await
    );
    // The other destination has not had it yet, and gets it.
    namespace.discard(Vendor::Crm, "1", true).await;
    assert_eq!(namespace.books().await.in_flight, 1);
    namespace.apply_all(Salsa).await;
    assert!(namespace.acknowledge_all().await.is_empty());
    assert_eq!(namespace.books().await.discarded, 1);
    let again = namespace.queue.enqueue(LATE, &one()).await.unwrap();
    assert_eq!((again.duplicates, again.listed_again), (1, 0));
    assert!(namespace.acknowledge_all().await.is_empty());
    assert!(namespace.snapshot().await.hash("discarded").is_empty());
}

#[tokio::test]
async fn a_row_that_cannot_be_decoded_is_counted_once_however_often_it_is_read() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![undecodable("row-5eed")]).await;
    assert_eq!(
        namespace
            .enqueue(vec![undecodable("row-5eed")])
            .await
            .duplicates,
        1
    );
    let mut again = undecodable("row-5eed");
    again.replaces = Some("row-5eed".to_owned());
    namespace.enqueue(vec![again]).await;
    assert_eq!(namespace.books().await.dead, 1);
    let mut decoded = change("7", Some("ada"), 1);
    decoded.replaces = Some("row-5eed".to_owned());
    assert_eq!(namespace.enqueue(vec![decoded]).await.enqueued, 1);
    let books = namespace.books().await;
    assert_eq!((books.fetched, books.in_flight, books.dead), (1, 1, 0));
    namespace.apply_all(Crm).await;
    assert_eq!(namespace.acknowledge_all().await, ["7"]);
}

#[tokio::test]
async fn alumniq_is_told_of_a_discarded_row_that_cannot_be_decoded_if_it_gave_it_an_id() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let mut with_id = undecodable("41");
    if let Some(letter) = &mut with_id.letter {
        letter.has_id = true;
    }
    namespace
        .enqueue(vec![with_id, undecodable("row-5eed")])
        .await;
    for id in ["41", "row-5eed"] {
        namespace.discard(Vendor::Alumniq, id, false).await;
    }
    assert_eq!(namespace.acknowledge_all().await, ["41"]);
    let books = namespace.books().await;
    assert_eq!(
        (books.fetched, books.discarded, books.difference),
        (2, 2, 0)
    );
}

#[tokio::test]
async fn a_list_that_is_renewed_stays_with_its_holder_and_with_nobody_else() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(one()).await;
    namespace.apply_all(Crm).await;
    let batch = namespace.claim_acknowledgements().await.unwrap();
    namespace.acknowledgers_lease_ends().await;
    let renewed = namespace.queue.renew_acknowledgements(batch.token, LONG);
    assert!(renewed.await.unwrap());
    assert!(namespace.claim_acknowledgements().await.is_none());
    namespace.acknowledgers_lease_ends().await;
    let foreign = namespace
        .queue
        .renew_acknowledgements(batch.token + 1, LONG);
    assert!(!foreign.await.unwrap());
    assert!(namespace.claim_acknowledgements().await.is_some());
}

#[tokio::test]
async fn a_kept_row_does_not_outlive_the_marker_that_the_change_is_done() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::with(&redis, |settings| {
        settings.keep = Duration::from_secs(3600);
        settings.keep_payload = Duration::from_secs(7200);
    })
    .await;
    namespace.enqueue(one()).await;
    namespace.apply_all(Crm).await;
    namespace.apply_all(Salsa).await;
    namespace.acknowledge_all().await;
    let snapshot = namespace.snapshot().await;
    let of = |kind| snapshot.ttl(snapshot.bucket_of(kind, "1")?);
    let (row, marker) = (of("rows"), of("closed"));
    assert!(row.is_some() && row <= marker, "{row:?} {marker:?}");
}

#[tokio::test]
async fn a_settle_that_ends_many_changes_keeps_the_books() {
    let redis = Redis::start().await;
    let namespace = Namespace::new(&redis).await;
    let changes = (0..50).map(|n| change(&n.to_string(), Some(&n.to_string()), 0));
    namespace.enqueue(changes.collect()).await;
    for (d, transition) in [(Crm, done()), (Salsa, dead(DeadClass::Unmatched))] {
        let settlements: Vec<_> = namespace
            .claim(d)
            .await
            .into_iter()
            .map(|lease| Settlement {
                lane: lease.lane,
                token: lease.token,
                call: lease.token,
                transition: transition.clone(),
                took: Duration::ZERO,
                sent: None,
            })
            .collect();
        let settled = namespace
            .queue
            .settle(d, "worker", &settlements)
            .await
            .unwrap();
        assert_eq!(settled, [SettleVerdict::Settled; 50]);
    }
    let books = namespace.books().await;
    assert_eq!((books.dead, books.in_flight, books.difference), (50, 0, 0));
}

#[tokio::test]
async fn a_timeline_says_where_a_change_stands_at_each_destination() {
    let redis = Redis::start().await;
    let namespace = Namespace::new(&redis).await;
    namespace
        .enqueue(vec![
            change("2", Some("ada"), 2),
            change("1", Some("ada"), 1),
        ])
        .await;
    let state = async |id: &str| {
        let timeline = namespace.queue.timeline(id).await.unwrap().unwrap();
        let at = |d| said(timeline.destinations.get(&d).cloned().unwrap_or_default());
        (said(timeline.state.clone()), at(Crm), at(Salsa))
    };
    assert_eq!(state("1").await, ("in flight", "ready", "ready"));
    assert_eq!(state("2").await, ("in flight", "waiting", "waiting"));
    let (crm, salsa) = (
        namespace.claim_one(Crm).await,
        namespace.claim_one(Salsa).await,
    );
    assert_eq!(state("1").await, ("in flight", "running", "running"));
    assert!(namespace.settle(Crm, &crm, retry(1)).await);
    assert!(namespace.settle(Salsa, &salsa, done()).await);
    assert_eq!(state("1").await, ("in flight", "retry", "done"));
    let second = namespace.claim_one(Salsa).await;
    assert!(
        namespace
            .settle(Salsa, &second, dead(DeadClass::Rejected))
            .await
    );
    assert_eq!(state("2").await, ("dead", "waiting", "dead"));
    namespace.discard(Vendor::Salsa, "2", true).await;
    assert_eq!(state("2").await.0, "in flight");
}

/// The queue's own words are never put together.
fn said(word: Cow<'static, str>) -> &'static str {
    match word {
        Cow::Borrowed(word) => word,
        Cow::Owned(word) => panic!("{word} was put together"),
    }
}
