//! One leader at a time: what an older one has fetched or has to say is refused once a newer one was made.

use std::time::Duration;

use futures::future::join_all;
use harness::{
    namespace::{EARLY, LONG, Namespace},
    redis::Redis,
    rows::change,
};
use queue::{
    Queue, QueueError,
    intake::Enqueued,
    leader::{Lead, ProducerRecord},
};
use redis::AsyncTypedCommands;

async fn lead(namespace: &Namespace, who: &str) -> Option<Lead> {
    namespace.queue.lead(who, LONG).await.unwrap()
}

/// The leader was silent for too long.
async fn lead_ends(namespace: &mut Namespace) {
    let leader = namespace.key("leader");
    assert_eq!(namespace.connection.del(leader).await.unwrap(), 1);
}

async fn enqueue(queue: &Queue, lead: Option<Lead>, id: &str) -> Result<Enqueued, QueueError> {
    let row = change(id, Some("ada"), 1);
    queue.enqueue_under(lead, EARLY, &[row]).await
}

fn swept(at: u64) -> ProducerRecord {
    ProducerRecord {
        last_started: Some(at),
        last_success: Some(at),
        last_sweep: Some(at),
        key_days: Some(200),
        error: None,
        rolled_back: None,
        not_before: None,
    }
}

#[tokio::test]
async fn a_lead_stays_the_same_until_another_process_has_had_it() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let first = lead(&namespace, "one").await.unwrap();
    assert_eq!(lead(&namespace, "one").await, Some(first));
    assert_eq!(lead(&namespace, "two").await, None);
    // It slept, but nobody noticed: nothing came between.
    lead_ends(&mut namespace).await;
    assert_eq!(lead(&namespace, "one").await, Some(first));
    assert_eq!(
        enqueue(&namespace.queue, Some(first), "1")
            .await
            .unwrap()
            .enqueued,
        1
    );

    namespace.queue.resign("two").await.unwrap();
    assert_eq!(
        lead(&namespace, "two").await,
        None,
        "another cannot resign for it"
    );
    namespace.queue.resign("one").await.unwrap();
    let second = lead(&namespace, "two").await.unwrap();
    assert_ne!(second, first);
    lead_ends(&mut namespace).await;
    let third = lead(&namespace, "one").await.unwrap();
    assert!(third != first && third != second);
}

#[tokio::test]
async fn a_deposed_leader_changes_nothing() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let old = lead(&namespace, "one").await.unwrap();
    lead_ends(&mut namespace).await;
    // Nobody has led since: what was fetched is still the newest.
    assert_eq!(
        enqueue(&namespace.queue, Some(old), "1")
            .await
            .unwrap()
            .enqueued,
        1
    );
    let new = lead(&namespace, "two").await.unwrap();
    namespace
        .queue
        .record_fetch(Some(new), &swept(EARLY + 1))
        .await
        .unwrap();
    // The newer lead may have ended, too.
    lead_ends(&mut namespace).await;

    let before = namespace.snapshot().await;
    let refused = enqueue(&namespace.queue, Some(old), "2").await;
    assert!(matches!(refused, Err(QueueError::Deposed)), "{refused:?}");
    let refused = namespace.queue.record_fetch(Some(old), &swept(EARLY)).await;
    assert!(matches!(refused, Err(QueueError::Deposed)), "{refused:?}");
    let after = namespace.snapshot().await;
    assert!(before.keys().eq(after.keys()));
    for key in before.keys() {
        assert_eq!(before.list(key), after.list(key), "{key} changed");
    }
    // By hand, and for rows that AlumnIQ has marked, no lead is needed.
    assert_eq!(
        enqueue(&namespace.queue, None, "2").await.unwrap().enqueued,
        1
    );
    assert_eq!(
        enqueue(&namespace.queue, Some(new), "3")
            .await
            .unwrap()
            .enqueued,
        1
    );
}

#[tokio::test]
async fn of_many_that_want_the_lead_one_gets_it_and_only_the_newest_is_heard() {
    const ROUNDS: usize = 5;
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let mut names: Vec<String> = (0..20).map(|n| format!("process {n}")).collect();
    let mut leads: Vec<Lead> = Vec::new();
    for round in 0..ROUNDS {
        let queue = &namespace.queue;
        let wanted = join_all(names.iter().map(|who| queue.lead(who, LONG))).await;
        let got = wanted.into_iter().map(Result::unwrap).enumerate();
        let got: Vec<_> = got.filter_map(|(n, lead)| Some((n, lead?))).collect();
        assert_eq!(got.len(), 1, "{got:?}");
        names.remove(got[0].0);
        leads.push(got[0].1);
        let id = round.to_string();
        let taken = join_all(leads.iter().map(|lead| enqueue(queue, Some(*lead), &id))).await;
        let heard = taken.iter().map(Result::is_ok);
        assert!(heard.eq((0..=round).map(|n| n == round)), "{taken:?}");
        lead_ends(&mut namespace).await;
    }
    assert_eq!(namespace.books().await.fetched as usize, ROUNDS);
}

#[tokio::test]
async fn a_sweep_that_redis_was_emptied_under_brings_nothing_in_any_more() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let before = lead(&namespace, "one").await.unwrap();
    assert!(enqueue(&namespace.queue, Some(before), "1").await.is_ok());
    namespace.connection.flushall().await.unwrap();
    // Its next days would enter the empty queue before the first ones.
    assert!(enqueue(&namespace.queue, Some(before), "2").await.is_err());
    let after = lead(&namespace, "one").await.unwrap();
    assert_ne!(before, after);
    assert!(enqueue(&namespace.queue, Some(before), "3").await.is_err());
    assert!(enqueue(&namespace.queue, Some(after), "1").await.is_ok());
}

#[tokio::test]
async fn a_lead_ends_by_itself() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace
        .queue
        .lead("one", Duration::from_secs(1000))
        .await
        .unwrap();
    let ttl = namespace.snapshot().await.ttl("leader").unwrap();
    assert!((1..=1_000_000).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn a_fetch_writes_down_what_it_knows_and_only_a_good_sweep_ends_an_error() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let lead = lead(&namespace, "one").await;
    let record = async |lead, record: ProducerRecord| {
        namespace.queue.record_fetch(lead, &record).await.unwrap();
        namespace.queue.producer_record().await.unwrap()
    };
    assert_eq!(record(lead, swept(10)).await, swept(10));
    let failed = ProducerRecord {
        last_started: Some(20),
        error: Some("the feed cannot be fetched".to_owned()),
        not_before: Some(25),
        ..ProducerRecord::default()
    };
    let known = ProducerRecord {
        last_started: Some(20),
        error: failed.error.clone(),
        not_before: Some(25),
        ..swept(10)
    };
    assert_eq!(record(lead, failed).await, known);
    // One person, by hand: the rest is still to be fetched again soon.
    let by_hand = ProducerRecord {
        last_success: Some(30),
        key_days: Some(199),
        ..ProducerRecord::default()
    };
    let known = ProducerRecord {
        last_success: Some(30),
        key_days: Some(199),
        ..known
    };
    assert_eq!(record(None, by_hand).await, known);
    let sweep_by_hand = ProducerRecord {
        last_success: Some(40),
        last_sweep: Some(35),
        ..ProducerRecord::default()
    };
    let known = ProducerRecord {
        last_success: Some(40),
        last_sweep: Some(35),
        error: None,
        rolled_back: None,
        not_before: None,
        ..known
    };
    assert_eq!(record(None, sweep_by_hand).await, known);
}
