//! What is told to the outside: each difference once, by one process, and only what lasts.

use std::time::Duration;

use harness::namespace::tester;
use harness::{
    namespace::{LONG, Namespace, dead, pause},
    redis::Redis,
    rows::change,
};
use jobs::{
    destination::{Destination::Crm, Vendor},
    notice::Event,
    outcome::{DeadClass, PauseReason},
};
use queue::notices::{NoticeClaim, NoticeEnd, ToTell};
use redis::AsyncTypedCommands;

const AT_ONCE: Duration = Duration::ZERO;

const AGAIN_LATER: NoticeEnd = NoticeEnd::Failed {
    delay: LONG,
    perhaps_taken: false,
};

const PERHAPS: NoticeEnd = NoticeEnd::Failed {
    delay: Duration::ZERO,
    perhaps_taken: true,
};

async fn claim(namespace: &Namespace, after: Duration) -> Option<ToTell> {
    match namespace.queue.claim_notice(after, LONG).await.unwrap() {
        NoticeClaim::Tell(to_tell) => Some(*to_tell),
        NoticeClaim::Wait(_) => None,
    }
}

async fn settle(namespace: &Namespace, to_tell: &ToTell, end: NoticeEnd) -> bool {
    let settled = namespace.queue.settle_notice(to_tell.lease(), end).await;
    settled.unwrap()
}

/// What is to be told now is told.
async fn tell(namespace: &Namespace) -> Option<Event> {
    let to_tell = claim(namespace, AT_ONCE).await?;
    assert!(settle(namespace, &to_tell, NoticeEnd::Taken).await);
    Some(to_tell.notice.event)
}

/// Nothing is to be told, and nothing is kept of it.
async fn quiet(namespace: &mut Namespace) {
    assert!(claim(namespace, AT_ONCE).await.is_none());
    let snapshot = namespace.snapshot().await;
    assert_eq!(snapshot.below("notice:").count(), 0);
}

/// A time (ms) of a subject's has come.
async fn comes(namespace: &mut Namespace, subject: &str, time: &str) {
    let key = namespace.key(&format!("notice:{subject}"));
    assert!(
        namespace.connection.hexists(&key, time).await.unwrap(),
        "it has no {time}"
    );
    namespace.connection.hset(&key, time, "1").await.unwrap();
}

#[tokio::test]
async fn of_several_processes_one_tells_and_the_end_is_told_with_how_long_it_lasted() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    quiet(&mut namespace).await;
    namespace.queue.pause(Vendor::Crm, &tester()).await.unwrap();

    let first = claim(&namespace, AT_ONCE).await.unwrap();
    assert_eq!(first.notice.event, Event::DestinationPaused);
    assert_eq!(first.notice.destination, Some(Vendor::Crm));
    assert_eq!(first.notice.reason, Some(PauseReason::Operator));
    assert_eq!(first.notice.cause.as_deref(), Some("tester"));
    assert_eq!(first.attempts, 1);
    assert!(first.notice.since <= first.notice.at && first.notice.at <= first.now);
    let waits = namespace.queue.claim_notice(AT_ONCE, LONG).await.unwrap();
    let NoticeClaim::Wait(Some(waits)) = waits else {
        panic!("another process got {waits:?}")
    };
    assert!(waits <= LONG);
    assert!(settle(&namespace, &first, NoticeEnd::Taken).await);
    assert!(claim(&namespace, AT_ONCE).await.is_none(), "it was told");

    namespace
        .queue
        .resume(Vendor::Crm, &tester())
        .await
        .unwrap();
    let end = claim(&namespace, AT_ONCE).await.unwrap();
    assert_eq!(end.notice.event, Event::DestinationResumed);
    let lasted = end.notice.since.duration_since(first.notice.since);
    assert_eq!(end.notice.lasted, Some(lasted.unsigned_abs()));
    assert_ne!(end.notice.id, first.notice.id);
    assert!(settle(&namespace, &end, NoticeEnd::Taken).await);
    quiet(&mut namespace).await;
}

#[tokio::test]
async fn who_was_silent_for_too_long_settles_nothing_and_another_tells_the_same() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace
        .queue
        .pause(Vendor::Salsa, &tester())
        .await
        .unwrap();
    let lost = claim(&namespace, AT_ONCE).await.unwrap();
    comes(&mut namespace, "gate:salsa", "ends").await;
    let again = claim(&namespace, AT_ONCE).await.unwrap();
    assert_eq!(again.notice, lost.notice, "under the same id");
    assert_eq!(again.attempts, 2);
    for end in [NoticeEnd::Taken, AGAIN_LATER] {
        let before = namespace.snapshot().await;
        assert!(!settle(&namespace, &lost, end).await, "its lease was lost");
        assert_eq!(namespace.snapshot().await.untimed(), before.untimed());
    }
    assert!(settle(&namespace, &again, NoticeEnd::Taken).await);
    assert!(claim(&namespace, AT_ONCE).await.is_none());
}

#[tokio::test]
async fn what_the_receiver_may_know_is_told_to_its_end_and_what_it_surely_does_not_is_dropped() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    // The receiver surely did not get it, and it is over: nothing was.
    namespace.queue.pause(Vendor::Crm, &tester()).await.unwrap();
    let refused = claim(&namespace, AT_ONCE).await.unwrap();
    assert!(settle(&namespace, &refused, AGAIN_LATER).await);
    assert!(claim(&namespace, AT_ONCE).await.is_none(), "later");
    namespace
        .queue
        .resume(Vendor::Crm, &tester())
        .await
        .unwrap();
    quiet(&mut namespace).await;

    // It may know of it, from a lost answer or from a teller that died: it hears of the beginning and the end.
    for dies in [false, true] {
        namespace.queue.pause(Vendor::Crm, &tester()).await.unwrap();
        let perhaps = claim(&namespace, AT_ONCE).await.unwrap();
        match dies {
            false => assert!(settle(&namespace, &perhaps, PERHAPS).await),
            true => comes(&mut namespace, "gate:crm", "ends").await,
        }
        namespace
            .queue
            .resume(Vendor::Crm, &tester())
            .await
            .unwrap();
        let again = claim(&namespace, AT_ONCE).await.unwrap();
        assert_eq!(again.notice, perhaps.notice);
        // A refusal of the repeat does not make the first attempt certain.
        assert!(settle(&namespace, &again, AGAIN_LATER).await);
        assert!(claim(&namespace, AT_ONCE).await.is_none(), "later");
        comes(&mut namespace, "gate:crm", "next").await;
        assert_eq!(tell(&namespace).await, Some(Event::DestinationPaused));
        assert_eq!(tell(&namespace).await, Some(Event::DestinationResumed));
        quiet(&mut namespace).await;
    }

    // The same for the end of a trouble: it is back before the end was told.
    namespace.queue.pause(Vendor::Crm, &tester()).await.unwrap();
    assert_eq!(tell(&namespace).await, Some(Event::DestinationPaused));
    namespace
        .queue
        .resume(Vendor::Crm, &tester())
        .await
        .unwrap();
    let refused = claim(&namespace, AT_ONCE).await.unwrap();
    assert!(settle(&namespace, &refused, AGAIN_LATER).await);
    namespace.queue.pause(Vendor::Crm, &tester()).await.unwrap();
    assert!(claim(&namespace, AT_ONCE).await.is_none());
    namespace
        .queue
        .resume(Vendor::Crm, &tester())
        .await
        .unwrap();
    assert_eq!(tell(&namespace).await, Some(Event::DestinationResumed));
    quiet(&mut namespace).await;
}

#[tokio::test]
async fn a_state_must_last_before_it_is_told_and_so_must_its_end() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace.queue.pause(Vendor::Crm, &tester()).await.unwrap();
    let waits = namespace.queue.claim_notice(LONG, LONG).await.unwrap();
    let NoticeClaim::Wait(Some(waits)) = waits else {
        panic!("told too early: {waits:?}")
    };
    assert!(waits <= LONG && waits > LONG / 2, "{waits:?}");
    namespace
        .queue
        .resume(Vendor::Crm, &tester())
        .await
        .unwrap();
    quiet(&mut namespace).await;

    // It has lasted; its end has not yet.
    namespace.queue.pause(Vendor::Crm, &tester()).await.unwrap();
    let gate = namespace.key("gate:crm");
    let connection = &mut namespace.connection;
    connection.hset(gate, "operator_since", "1").await.unwrap();
    let paused = claim(&namespace, LONG).await.unwrap();
    assert!(settle(&namespace, &paused, NoticeEnd::Taken).await);
    namespace
        .queue
        .resume(Vendor::Crm, &tester())
        .await
        .unwrap();
    assert!(claim(&namespace, LONG).await.is_none());
    // Paused again: a short spell in between is nobody's business.
    namespace.queue.pause(Vendor::Crm, &tester()).await.unwrap();
    assert!(claim(&namespace, LONG).await.is_none());
    let known = namespace.snapshot().await;
    let known: Vec<&str> = known.hash("notice:gate:crm").into_keys().collect();
    assert_eq!(known, ["told"]);
    namespace
        .queue
        .resume(Vendor::Crm, &tester())
        .await
        .unwrap();
    assert!(claim(&namespace, LONG).await.is_none());
    comes(&mut namespace, "gate:crm", "differs").await;
    let resumed = claim(&namespace, LONG).await.unwrap();
    assert_eq!(resumed.notice.event, Event::DestinationResumed);
    assert!(settle(&namespace, &resumed, NoticeEnd::Taken).await);
    quiet(&mut namespace).await;
}

#[tokio::test]
async fn dead_letters_are_told_by_class_when_they_appear_and_when_the_last_is_gone() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let ids = ["1", "2", "3"];
    let changes = ids.map(|id| change(id, Some(id), 1));
    namespace.enqueue(changes.into()).await;
    let classes = [
        DeadClass::Unmatched,
        DeadClass::Unmatched,
        DeadClass::Rejected,
    ];
    for (lease, class) in namespace.claim(Crm).await.iter().zip(classes) {
        assert!(namespace.settle(Crm, lease, dead(class)).await);
    }
    let to_tell = claim(&namespace, AT_ONCE).await.unwrap();
    assert_eq!(to_tell.notice.event, Event::DeadLettersAppeared);
    assert_eq!(
        to_tell.notice.counts,
        [(DeadClass::Unmatched, 2), (DeadClass::Rejected, 1)].into()
    );
    assert!(settle(&namespace, &to_tell, NoticeEnd::Taken).await);
    namespace.discard(Vendor::Crm, "1", false).await;
    assert_eq!(tell(&namespace).await, None, "fewer are not none");
    namespace.discard(Vendor::Crm, "2", false).await;
    namespace.discard(Vendor::Crm, "3", false).await;
    assert_eq!(tell(&namespace).await, Some(Event::DeadLettersCleared));
    quiet(&mut namespace).await;
}

#[tokio::test]
async fn books_that_are_off_are_told_and_when_they_are_back() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let counters = namespace.key("counters");
    let connection = &mut namespace.connection;
    let _: i64 = redis::AsyncCommands::hincr(connection, &counters, "fetched", 2)
        .await
        .unwrap();
    assert!(claim(&namespace, LONG).await.is_none());
    comes(&mut namespace, "books", "differs").await;
    let off = claim(&namespace, LONG).await.unwrap();
    assert_eq!(off.notice.event, Event::BooksOff);
    assert_eq!(off.notice.difference, Some(2));
    assert!(settle(&namespace, &off, NoticeEnd::Taken).await);
    let connection = &mut namespace.connection;
    let _: i64 = redis::AsyncCommands::hincr(connection, &counters, "fetched", -2)
        .await
        .unwrap();
    assert_eq!(tell(&namespace).await, Some(Event::BooksBack));
    quiet(&mut namespace).await;
}

#[tokio::test]
async fn a_machines_pause_is_told_in_the_vendors_words_also_while_redis_is_full() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![change("1", Some("1"), 1)]).await;
    let lease = namespace.claim_one(Crm).await;
    assert!(namespace.settle(Crm, &lease, pause()).await);
    redis.fill(1).await;
    let to_tell = claim(&namespace, AT_ONCE).await.unwrap();
    assert_eq!(to_tell.notice.reason, Some(PauseReason::Outage));
    assert_eq!(to_tell.notice.cause.as_deref(), Some("connection refused"));
    assert!(settle(&namespace, &to_tell, NoticeEnd::Taken).await);
}

#[tokio::test]
async fn an_emptied_redis_tells_nothing_of_what_is_well() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    for vendor in Vendor::ALL {
        namespace.queue.pause(vendor, &tester()).await.unwrap();
        assert_eq!(tell(&namespace).await, Some(Event::DestinationPaused));
    }
    let pending = claim_of(&namespace).await;
    redis.command("FLUSHALL").await;
    quiet(&mut namespace).await;
    // Who was telling meanwhile leaves nothing behind.
    assert!(!settle(&namespace, &pending, NoticeEnd::Taken).await);
    quiet(&mut namespace).await;
}

/// The end of a pause, leased.
async fn claim_of(namespace: &Namespace) -> ToTell {
    namespace
        .queue
        .resume(Vendor::Crm, &tester())
        .await
        .unwrap();
    claim(namespace, AT_ONCE).await.unwrap()
}
