//! Promise 11: a Redis that comes back with an older state is noticed by who has seen a newer one.

use std::time::Duration;

use harness::{
    namespace::{LONG, Namespace, done},
    redis::Redis,
    rows::change,
};
use jobs::destination::Destination::Crm;
use queue::{
    Queue,
    leader::ProducerRecord,
    lease::{ClaimRequest, Claimed, RolledBack},
};

fn request() -> ClaimRequest {
    ClaimRequest {
        most: 9,
        held: 0,
        lease: LONG,
        fleet_limit: 9,
        full_batch: 1,
        linger_over: true,
    }
}

/// A Redis that keeps what it had when `copied` was called, as a replica that lagged does.
async fn copied(redis: &Redis) -> Vec<u8> {
    redis.command("SAVE").await;
    std::fs::read(redis.path("dump.rdb")).unwrap()
}

/// A Redis that keeps its data in one file.
async fn started() -> Redis {
    Redis::start_with(&["--appendonly", "no", "--save", "3600 1"]).await
}

/// What `worker` is given. The first command after a restart may find the old connection.
async fn claim(queue: &Queue, worker: &str) -> Claimed {
    loop {
        if let Ok(claimed) = queue.claim(Crm, worker, &request()).await {
            return claimed;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn goes_back_to(redis: &mut Redis, copy: &[u8]) {
    redis.stop().await;
    std::fs::write(redis.path("dump.rdb"), copy).unwrap();
    redis.start_again().await;
}

#[tokio::test]
async fn nothing_is_leased_from_an_older_state_until_the_feed_was_read_again() {
    let mut redis = started().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![change("1", Some("ada"), 1)]).await;
    let other = namespace.queue.clone();
    claim(&other, "w2").await;
    let copy = copied(&redis).await;

    namespace.age("lease:crm").await;
    let older = namespace.claim_one(Crm).await;
    assert!(namespace.settle(Crm, &older, done()).await);
    namespace.enqueue(vec![change("2", Some("ada"), 2)]).await;
    let newer = namespace.claim_one(Crm).await;
    assert!(namespace.settle(Crm, &newer, done()).await);

    goes_back_to(&mut redis, &copy).await;
    namespace.connection = redis.connect().await;
    namespace.age("lease:crm").await;
    let claimed = claim(&namespace.queue, "worker").await;
    let noticed = claimed.rolled_back.unwrap();
    assert!(claimed.leases.is_empty() && noticed.is_news, "{claimed:?}");
    for worker in ["worker", "w2", "w3"] {
        let claimed = claim(&other, worker).await;
        assert!(claimed.leases.is_empty(), "{worker}: {claimed:?}");
        let told = RolledBack {
            is_news: false,
            ..noticed
        };
        assert_eq!(claimed.rolled_back, Some(told), "{worker}");
    }
    let status = namespace.queue.status().await.unwrap();
    assert!(status.producer.rolled_back_since.is_some());

    // A fetch that began before says nothing of what was forgotten; one that began later has both rows in their order.
    let swept = |at| ProducerRecord {
        last_sweep: Some(at),
        ..ProducerRecord::default()
    };
    let early = swept(noticed.noticed_at - 1);
    namespace.queue.record_fetch(None, &early).await.unwrap();
    let claimed = claim(&namespace.queue, "worker").await;
    assert!(claimed.rolled_back.is_some());
    let both = vec![change("2", Some("ada"), 2), change("1", Some("ada"), 1)];
    namespace.enqueue(both).await;
    let late = swept(noticed.noticed_at);
    namespace.queue.record_fetch(None, &late).await.unwrap();
    for id in ["1", "2"] {
        let lease = namespace.claim_one(Crm).await;
        assert_eq!(lease.change_id, id);
        assert!(namespace.settle(Crm, &lease, done()).await);
    }
    let status = namespace.queue.status().await.unwrap();
    assert_eq!(status.producer.rolled_back_since, None);
    assert_eq!(status.books.difference, 0);
}

#[tokio::test]
async fn a_redis_that_was_restarted_or_emptied_has_not_gone_back() {
    let mut redis = started().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![change("1", Some("ada"), 1)]).await;
    namespace.claim_one(Crm).await;
    redis.restart().await;
    namespace.connection = redis.connect().await;
    let claimed = claim(&namespace.queue, "worker").await;
    assert_eq!(claimed.rolled_back, None);

    redis.command("FLUSHALL").await;
    let claimed = claim(&namespace.queue, "worker").await;
    assert_eq!(claimed.rolled_back, None);
    let again = vec![change("1", Some("ada"), 1)];
    assert_eq!(namespace.enqueue(again).await.enqueued, 1);
    let claimed = claim(&namespace.queue, "worker").await;
    assert_eq!(claimed.rolled_back, None);
    assert_eq!(claimed.leases.len(), 1);
}
