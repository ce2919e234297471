//! Promise 9 at the queue: a corrected row is applied everywhere before the change is acknowledged.

use harness::{
    namespace::{EARLY, LATE, Namespace, dead, done, retry, tester},
    redis::Redis,
    rows::change,
};
use jobs::{
    destination::{
        Destination::{self, Crm, Salsa},
        Vendor,
    },
    outcome::DeadClass,
};
use queue::{
    acknowledgement::AckEnd,
    intake::{Listed, NewChange},
    lease::Lease,
    seal::Seals,
};
use serde_json::{json, value::to_raw_value};

/// Change `id` of `xid`, made at `changed_on`, with this employer.
fn with(id: &str, xid: Option<&str>, changed_on: i64, employer: u8) -> NewChange {
    NewChange {
        row: to_raw_value(&json!({ "changeId": id, "xid": xid, "employer": employer })).unwrap(),
        listed: Some(Listed {
            content: [employer; 32],
            row: 1,
        }),
        ..change(id, xid, changed_on)
    }
}

fn one(employer: u8) -> NewChange {
    with("1", Some("ada"), 1, employer)
}

fn employer(lease: &Lease) -> u64 {
    let row: serde_json::Value = serde_json::from_str(lease.row.as_ref().unwrap().get()).unwrap();
    row["employer"].as_u64().unwrap()
}

/// Fetched after everything before it.
async fn corrected(namespace: &Namespace, hour: u64, row: NewChange) {
    let taken = namespace.queue.enqueue(EARLY + hour, &[row]).await.unwrap();
    assert_eq!((taken.corrected, taken.enqueued), (1, 0), "{taken:?}");
}

/// Settles the lease as done; returns what the destination was given.
async fn apply(namespace: &Namespace, d: Destination) -> u64 {
    let lease = namespace.claim_one(d).await;
    assert!(namespace.settle(d, &lease, done()).await);
    employer(&lease)
}

#[tokio::test]
async fn a_row_that_waits_is_replaced_and_moves_to_where_it_belongs() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let rows = vec![one(1), with("2", Some("ada"), 2, 1)];
    namespace.enqueue(rows).await;
    corrected(&namespace, 1, with("1", Some("ada"), 3, 2)).await;
    assert_eq!(namespace.claim_one(Crm).await.change_id, "2");
    corrected(&namespace, 2, with("1", Some("eve"), 3, 3)).await;
    let lease = namespace.claim_one(Crm).await;
    assert_eq!((lease.lane.as_str(), employer(&lease)), ("x:eve", 3));
    let status = namespace.queue.status().await.unwrap();
    assert_eq!(status.destinations[&Crm].running, 2);
}

#[tokio::test]
async fn what_was_claimed_or_applied_in_the_old_form_is_applied_again_before_the_acknowledgement() {
    let redis = Redis::start().await;
    let namespace = Namespace::new(&redis).await;
    namespace.enqueue(vec![one(1)]).await;
    assert_eq!(apply(&namespace, Salsa).await, 1);
    let out = namespace.claim_one(Crm).await;
    corrected(&namespace, 1, one(2)).await;
    assert!(
        namespace.claim(Salsa).await.is_empty(),
        "a call is out with the old row"
    );
    assert!(namespace.settle(Crm, &out, done()).await);
    assert!(namespace.acknowledge_all().await.is_empty());
    assert_eq!(apply(&namespace, Salsa).await, 2);
    assert_eq!(apply(&namespace, Crm).await, 2);

    // Through everywhere, and corrected once more: before AlumnIQ is told, and while it is.
    corrected(&namespace, 2, one(3)).await;
    assert!(namespace.acknowledge_all().await.is_empty());
    assert_eq!(
        (apply(&namespace, Crm).await, apply(&namespace, Salsa).await),
        (3, 3)
    );
    let batch = namespace.claim_acknowledgements().await.unwrap();
    corrected(&namespace, 3, one(4)).await;
    let ids = ["1".to_owned()];
    namespace
        .queue
        .settle_acknowledgements(batch.token, &AckEnd::Accepted, &ids)
        .await
        .unwrap();
    assert_eq!(
        (apply(&namespace, Crm).await, apply(&namespace, Salsa).await),
        (4, 4)
    );
    assert_eq!(namespace.acknowledge_all().await, ["1"]);
    let books = namespace.books().await;
    assert_eq!(
        (books.fetched, books.acknowledged, books.difference),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn what_came_of_the_old_row_is_not_held_against_the_corrected_one() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    for (hour, end) in [(1, dead(DeadClass::Rejected)), (2, retry(1))] {
        namespace.enqueue(vec![one(0)]).await;
        let lease = namespace.claim_one(Crm).await;
        corrected(&namespace, hour, one(hour as u8)).await;
        assert!(namespace.settle(Crm, &lease, end).await);
        assert_eq!(namespace.letter(Vendor::Crm, "1").await, None);
        let lease = namespace.claim_one(Crm).await;
        assert_eq!((employer(&lease), lease.attempts), (hour, 0));
        assert!(
            namespace
                .settle(Crm, &lease, queue::executor::Transition::Release)
                .await
        );
    }
}

#[tokio::test]
async fn an_answer_from_before_the_correction_undoes_nothing() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![one(1)]).await;
    corrected(&namespace, 2, one(2)).await;
    let taken = namespace.queue.enqueue(EARLY + 1, &[one(1)]).await.unwrap();
    assert_eq!((taken.corrected, taken.duplicates), (0, 1));
    assert_eq!(apply(&namespace, Crm).await, 2);
    assert_eq!(namespace.acknowledge_all().await, ["1"]);
    let taken = namespace.queue.enqueue(EARLY + 1, &[one(1)]).await.unwrap();
    assert_eq!((taken.enqueued, taken.duplicates), (0, 1));
    let taken = namespace.queue.enqueue(LATE, &[one(3)]).await.unwrap();
    assert_eq!(
        taken.enqueued, 1,
        "a closed change with another content is a new one"
    );
    assert_eq!(apply(&namespace, Crm).await, 3);
}

#[tokio::test]
async fn a_correction_of_a_dead_letter_is_applied_where_the_old_row_was_too() {
    let redis = Redis::start().await;
    let namespace = Namespace::new(&redis).await;
    namespace.enqueue(vec![one(1)]).await;
    assert_eq!(apply(&namespace, Salsa).await, 1);
    let lease = namespace.claim_one(Crm).await;
    assert!(
        namespace
            .settle(Crm, &lease, dead(DeadClass::Rejected))
            .await
    );
    corrected(&namespace, 1, one(2)).await;
    assert_eq!(apply(&namespace, Salsa).await, 2);
    assert_eq!(
        namespace.letter(Vendor::Crm, "1").await,
        Some(DeadClass::Rejected)
    );
    assert!(namespace.acknowledge_all().await.is_empty());
    namespace.replay(Vendor::Crm, "1", false).await;
    assert_eq!(apply(&namespace, Crm).await, 2);
    assert_eq!(namespace.acknowledge_all().await, ["1"]);
}

#[tokio::test]
async fn an_operators_edit_stands_and_the_timeline_says_that_alumniq_corrected_the_row() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![one(1)]).await;
    let lease = namespace.claim_one(Crm).await;
    assert!(
        namespace
            .settle(Crm, &lease, dead(DeadClass::Rejected))
            .await
    );
    let (_, was) = namespace.queue.row("1").await.unwrap().unwrap();
    let mut edited = was.clone();
    edited.row = to_raw_value(&json!({ "changeId": "1", "xid": "ada", "employer": 9 })).unwrap();
    let fields = ["employer".to_owned()];
    let by = tester();
    let edit = namespace
        .queue
        .edit(Vendor::Crm, "1", &was, &edited, &fields, &by);
    edit.await.unwrap();
    for expected in [1, 0] {
        let taken = namespace.queue.enqueue(EARLY + 1, &[one(2)]).await.unwrap();
        assert_eq!(taken.corrected, expected);
    }
    assert_eq!(apply(&namespace, Crm).await, 9);
    let timeline = namespace.queue.timeline("1").await.unwrap().unwrap();
    let told = timeline
        .events
        .iter()
        .filter(|event| event["event"] == "corrected");
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn a_digest_outlives_the_rotation_of_keys_and_not_the_persons_erasure() {
    let redis = Redis::start().await;
    let sealed = async |key: u8, old: &[[u8; 32]]| {
        Namespace::with(&redis, |settings| {
            settings.destinations = vec![Crm];
            settings.seals = Seals::new(Some(&[key; 32]), old);
        })
        .await
    };
    let before = sealed(1, &[]).await;
    before.enqueue(vec![one(1)]).await;
    let rotating = sealed(2, &[[1; 32]]).await;
    let taken = rotating.queue.enqueue(EARLY + 1, &[one(1)]).await.unwrap();
    assert_eq!(
        (taken.corrected, taken.duplicates),
        (0, 1),
        "the same under another key"
    );
    rotating.queue.rotate(|_| ()).await.unwrap();
    let mut rotating = sealed(2, &[]).await;
    corrected(&rotating, 2, one(2)).await;
    assert_eq!(apply(&rotating, Crm).await, 2);
    assert_eq!(rotating.acknowledge_all().await, ["1"]);
    let snapshot = rotating.snapshot().await;
    let (kept, _) = snapshot.closed()["1"];
    assert!(kept.contains(" listed "), "{kept}");
    rotating
        .queue
        .erase("ada", "asked for", false, &tester())
        .await
        .unwrap();
    let snapshot = rotating.snapshot().await;
    let (kept, _) = snapshot.closed()["1"];
    assert!(!kept.contains("listed"), "{kept}");
}
