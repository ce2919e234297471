//! Redis is full: nothing new is taken in, what is in the queue goes on, and then there is room again.

use harness::namespace::tester;
use harness::{
    namespace::{EARLY, LONG, Namespace, dead, done, pause, retry},
    redis::Redis,
    relay::Relay,
    rows::change,
    vendors::{acknowledged, every_promise_held, vendors},
    waiting::until_true,
};
use jobs::{
    destination::{Destination, Vendor},
    outcome::DeadClass,
};
use queue::{durability::BYTES_A_CHANGE, leader::ProducerRecord};
use sandbox::{NewChanges, Sandbox};

/// More than one byte is always in use.
const FULL: &str = "CONFIG SET maxmemory 1";

fn add(sandbox: &Sandbox, count: usize) {
    sandbox.add_changes(&NewChanges {
        count,
        ..NewChanges::default()
    });
}

#[tokio::test]
async fn a_full_redis_refuses_a_block_as_a_whole_and_leaves_every_key_as_it_was() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let person = |id: &str| change(id, Some("ada"), id.parse().unwrap());
    namespace.enqueue(vec![person("1"), person("2")]).await;
    // A corrected row, a known one and new ones: it may not stop between them.
    let before = namespace.snapshot().await;
    redis.command(FULL).await;
    let block = ["1", "2", "3", "4"].map(person);
    let refused = namespace.queue.enqueue(EARLY, &block).await.unwrap_err();
    assert!(refused.is_full(), "{refused}");
    assert!(
        refused
            .to_string()
            .starts_with("Redis is full: nothing new"),
        "{refused}"
    );
    assert_eq!(namespace.snapshot().await, before);
}

#[tokio::test]
async fn everything_but_an_enqueue_goes_on_in_a_full_redis() {
    let crm = Destination::Crm;
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let people = ["1", "2", "3", "4", "5", "6"];
    let block = people.map(|id| change(id, Some(id), 1));
    namespace.enqueue(block.into()).await;
    redis.command(FULL).await;

    let queue = &namespace.queue;
    queue.beat("worker", "{}", &[]).await.unwrap();
    assert!(queue.lead("worker", LONG).await.unwrap().is_some());
    queue
        .record_fetch(
            None,
            &ProducerRecord {
                error: Some("full".to_owned()),
                ..ProducerRecord::default()
            },
        )
        .await
        .unwrap();
    namespace.book_call(Vendor::Crm).await;
    queue.pause(Vendor::Salsa, &tester()).await.unwrap();
    queue.resume(Vendor::Salsa, &tester()).await.unwrap();

    let leases = namespace.claim_as(crm, "worker", 6).await.leases;
    let held: Vec<(String, u64)> = leases.iter().map(|l| (l.lane.clone(), l.token)).collect();
    let renewed = queue.renew(crm, LONG, &held).await.unwrap();
    assert_eq!(renewed, [true; 6]);
    for (lease, transition) in leases.iter().zip([
        done(),
        done(),
        dead(DeadClass::Rejected),
        dead(DeadClass::Unmatched),
        retry(1),
        pause(),
    ]) {
        assert!(namespace.settle(crm, lease, transition).await);
    }
    assert_eq!(namespace.acknowledge_all().await, ["1", "2"]);
    namespace.replay(Vendor::Crm, "3", false).await;
    namespace.discard(Vendor::Crm, "4", false).await;
    assert_eq!(namespace.acknowledge_all().await, ["4"]);
    queue.resign("worker").await.unwrap();
    queue.leave("worker").await.unwrap();

    let status = queue.status().await.unwrap();
    assert!(status.memory.is_full());
    assert_eq!(status.producer.error.as_deref(), Some("full"));
    let books = status.books;
    assert_eq!(
        (
            books.acknowledged,
            books.discarded,
            books.in_flight,
            books.dead
        ),
        (2, 1, 3, 0)
    );
    assert_eq!(books.difference, 0);
}

#[tokio::test]
async fn a_full_redis_gives_up_timelines_of_closed_changes_and_nothing_else() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::with(&redis, |settings| {
        settings.destinations = vec![Destination::Crm];
        settings.keep_payload = LONG;
    })
    .await;
    for id in ["closed", "dead", "waiting"] {
        namespace.enqueue(vec![change(id, Some(id), 1)]).await;
        let lease = namespace.claim_one(Destination::Crm).await;
        let transition = match id {
            "closed" => done(),
            "dead" => dead(DeadClass::Rejected),
            _ => retry(1),
        };
        assert!(namespace.settle(Destination::Crm, &lease, transition).await);
    }
    assert_eq!(namespace.acknowledge_all().await, ["closed"]);
    let before = namespace.snapshot().await.untimed();

    assert!(!namespace.queue.make_room().await.unwrap().is_full());
    assert_eq!(
        namespace.snapshot().await.untimed(),
        before,
        "it is not full"
    );

    redis.command(FULL).await;
    assert!(namespace.queue.make_room().await.unwrap().is_full());
    let after = namespace.snapshot().await.untimed();
    let (marker, events) = &before.closed()["closed"];
    assert!(!events.is_empty() && before.rows().contains_key("closed"));
    assert_eq!(after.closed()["closed"], (*marker, Vec::new()));
    assert!(after.rows().is_empty());
    let bucket = before.bucket_of("closed", "closed").unwrap().to_owned();
    let rows = before.bucket_of("rows", "closed").unwrap().to_owned();
    let touched = [bucket.as_str(), rows.as_str()];
    assert_eq!(after.without(&touched), before.without(&touched));
}

#[tokio::test]
async fn a_change_on_the_way_takes_no_more_than_the_check_reckons_with() {
    const CHANGES: usize = 1_000;
    let sandbox = vendors(CHANGES, 400).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["status"]).await.expect(0);
    let before = redis.used_memory().await;
    relay.run(&["sync"]).await.expect(0);
    let each = (redis.used_memory().await - before) / CHANGES as u64;
    assert!(each <= BYTES_A_CHANGE, "{each} bytes a change");
}

#[tokio::test]
async fn the_backlog_drains_while_redis_is_full_and_intake_resumes_with_the_room() {
    const CHANGES: usize = 300;
    let sandbox = vendors(CHANGES, 100).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.poll", "every 10s");
    for destination in ["crm", "salsa"] {
        relay.run(&["pause", destination]).await.expect(0);
    }
    relay.run(&["sync"]).await.expect(0);
    add(&sandbox, 100);
    redis.command(FULL).await;
    let service = relay.start("producer,crm,salsa,acknowledger").await;
    until_true("status says why nothing new comes in", async || {
        let status = relay.run(&["status"]).await.expect(0);
        status
            .stdout
            .contains("\nRedis is full: nothing new is taken in")
            && status.stdout.contains("since then: Redis is full")
    })
    .await;
    for destination in ["crm", "salsa"] {
        relay.run(&["resume", destination]).await.expect(0);
    }
    acknowledged(&sandbox, CHANGES).await;
    let status = relay.status().await;
    assert_eq!(status["books"]["fetched"], CHANGES, "{status}");
    let (_, metrics) = service.get("/metrics").await;
    assert!(metrics.contains("redis_memory_used_ratio"), "{metrics}");

    redis.command("CONFIG SET maxmemory 0").await;
    acknowledged(&sandbox, CHANGES + 100).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
    let log = service.log();
    let told = |words: &str| log.matches(words).count();
    assert_eq!(told("Redis is full: nothing new is taken in"), 1, "{log}");
    service.stop().await;
}

#[tokio::test]
async fn sync_alone_works_a_full_redis_off_and_then_takes_in_what_is_new() {
    let sandbox = vendors(3_000, 500).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    // Their timelines are more than the tenth of Redis' memory that is to be free.
    relay.run(&["sync", "--wait"]).await.expect(0);
    add(&sandbox, 300);
    relay.run(&["sync"]).await.expect(0);
    a_hundred_more_are_taken_through(&sandbox, &redis, &relay).await;
    assert_eq!(sandbox.report().acknowledged, 3_400);
}

#[tokio::test]
async fn a_redis_that_is_full_of_what_is_over_takes_in_what_is_new() {
    // So many that their timelines are more than the tenth of Redis' memory that is to be free.
    let sandbox = vendors(3_000, 500).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["sync", "--wait"]).await.expect(0);
    a_hundred_more_are_taken_through(&sandbox, &redis, &relay).await;
    assert_eq!(sandbox.report().acknowledged, 3_100);
}

/// Although Redis is full when they come.
async fn a_hundred_more_are_taken_through(sandbox: &Sandbox, redis: &Redis, relay: &Relay) {
    add(sandbox, 100);
    redis.fill(10_000).await;
    relay.run(&["sync", "--wait"]).await.expect(0);
    every_promise_held(&sandbox.report(), &[], &[]);
}

#[tokio::test]
async fn sync_says_that_redis_is_full_and_what_to_do() {
    let sandbox = vendors(20, 10).await;
    let redis = Redis::start().await;
    redis.command(FULL).await;
    let relay = Relay::new(&sandbox, Some(&redis));
    for arguments in [&["sync"][..], &["sync", "--wait"]] {
        let ended = relay.run(arguments).await.expect(1);
        let said = ended.said();
        for words in [
            "Redis is full: nothing new",
            "raise `maxmemory`",
            "stays in the queue",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_eq!(ended.stdout, "");
    }
    redis.command("CONFIG SET maxmemory 0").await;
    relay.run(&["sync", "--wait"]).await.expect(0);
    assert_eq!(sandbox.report().acknowledged, 20);
}
