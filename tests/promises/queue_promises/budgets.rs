//! What grows stays bounded: work of one call, memory, and the slots of a cluster.

use std::time::Duration;

use harness::namespace::tester;
use harness::{
    namespace::{Namespace, dead, done, retry},
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
use queue::notices::NoticeClaim;
use redis::AsyncTypedCommands;
use serde_json::{json, value::to_raw_value};

const MANY: usize = 20_000;

async fn many(redis: &Redis) -> Namespace {
    let namespace = Namespace::of_crm(redis).await;
    let changes = (0..MANY).map(|n| change(&n.to_string(), Some(&n.to_string()), 0));
    assert_eq!(
        namespace.enqueue(changes.collect()).await.enqueued as usize,
        MANY
    );
    namespace
}

#[tokio::test]
async fn twenty_thousand_expired_leases_are_taken_back_in_bounded_steps() {
    let redis = Redis::start().await;
    let mut namespace = many(&redis).await;
    while !namespace
        .claim_as(Crm, "lost", 1000)
        .await
        .leases
        .is_empty()
    {}
    namespace.age("lease:crm").await;
    let mut claimed = 0;
    while claimed < MANY {
        let found = namespace.claim_as(Crm, "worker", 1000).await.leases.len();
        assert!((1..=500).contains(&found), "{found} in one call");
        claimed += found;
    }
    let status = namespace.queue.status().await.unwrap();
    assert_eq!(status.destinations[&Crm].running as usize, MANY);
    assert_eq!(status.books.difference, 0);
}

#[tokio::test]
async fn a_queued_change_costs_its_payload_and_at_most_400_bytes() {
    const BUDGET: f64 = 400.0;
    // Rows differ in length, or the allocator's rounding would decide.
    for changes_a_person in [1, 4] {
        let redis = Redis::start().await;
        let mut namespace = Namespace::new(&redis).await;
        // Connections and scripts are not counted.
        namespace.enqueue(vec![change("warm-up", None, 0)]).await;
        let before = used_memory(&mut namespace).await;
        let mut payload = 0;
        for block in 0..MANY / 1000 {
            let mut changes = Vec::new();
            for n in block * 1000..(block + 1) * 1000 {
                let xid = format!("{}", 100_000 + n / changes_a_person);
                let mut new = change(&format!("{}", 5_000_000 + n), Some(&xid), 1_795_255_200_000);
                new.row = to_raw_value(&json!({
                    "changeId": new.change_id, "xid": xid, "changedOn": "2026-11-21T09:20:00Z",
                    "employer": "Example Corporation of the Northern Counties", "jobTitle": "Director",
                    "text": "x".repeat(300 + n % 240),
                }))
                .unwrap();
                payload += new.row.get().len();
                changes.push(new);
            }
            namespace.enqueue(changes).await;
        }
        let used = used_memory(&mut namespace).await - before;
        let overhead = (used - payload as f64) / MANY as f64;
        println!(
            "{changes_a_person} changes a person: {:.0} bytes of payload + {overhead:.0} bytes a queued change",
            payload as f64 / MANY as f64
        );
        assert!(overhead <= BUDGET, "{overhead:.0} bytes beside the payload");
    }
}

/// Bytes of data: without buffers, and read until Redis has finished moving its hash tables in the background.
async fn used_memory(namespace: &mut Namespace) -> f64 {
    let (mut last, mut same) = (0, 0);
    while same < 5 {
        let info: String = redis::cmd("INFO")
            .arg("memory")
            .query_async(&mut namespace.connection)
            .await
            .unwrap();
        let field = |name: &str| -> i64 {
            let mut lines = info.lines().filter_map(|line| line.trim().split_once(':'));
            lines
                .find(|(key, _)| *key == name)
                .unwrap()
                .1
                .parse()
                .unwrap()
        };
        let used = field("used_memory") - field("mem_clients_normal") - field("mem_aof_buffer");
        same = if used == last { same + 1 } else { 0 };
        last = used;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    last as f64
}

#[tokio::test]
async fn everything_lies_in_one_slot_of_a_cluster() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::with(&redis, |settings| {
        settings.namespace = "north-campus".to_owned();
        settings.keep_payload = settings.keep;
    })
    .await;
    // Names that try to bring a hash tag of their own.
    let names = ["plain", "{other}", "}{", "a b", "42"];
    let changes = names.map(|name| change(&name.replace(' ', "-"), Some(name), 1));
    namespace.enqueue(changes.into()).await;
    namespace
        .enqueue(vec![undecodable("{row}"), change("{nobody}", None, 1)])
        .await;
    for d in [Crm, Salsa] {
        let leases = namespace.claim(d).await;
        assert!(namespace.settle(d, &leases[0], done()).await);
        assert!(
            namespace
                .settle(d, &leases[1], dead(DeadClass::Rejected))
                .await
        );
        assert!(namespace.settle(d, &leases[2], retry(1)).await);
    }
    namespace.age("lease:crm").await;
    namespace.claim_as(Crm, "worker", 1).await;
    namespace.replay(Vendor::Crm, "{other}", true).await;
    namespace.discard(Vendor::Salsa, "{other}", false).await;
    namespace.acknowledge_all().await;
    namespace.apply_all(Crm).await;
    namespace.claim_acknowledgements().await.unwrap();
    for vendor in Vendor::ALL {
        namespace.queue.pause(vendor, &tester()).await.unwrap();
        namespace.book_call(vendor).await;
        let told = namespace.queue.limits_told(vendor, 300, 20);
        told.await.unwrap();
    }
    assert!(
        namespace
            .queue
            .lead("one", Duration::from_secs(60))
            .await
            .unwrap()
            .is_some()
    );
    namespace.queue.beat("one", "{}", &[]).await.unwrap();
    let minute = Duration::from_secs(60);
    let to_tell = namespace.queue.claim_notice(Duration::ZERO, minute).await;
    assert!(matches!(to_tell, Ok(NoticeClaim::Tell(_))));

    let keys: Vec<String> = namespace.connection.keys("*").await.unwrap();
    assert!(keys.len() > 30, "{keys:?}");
    for key in keys {
        assert_eq!(slot(&key), slot("{north-campus}"), "{key}");
        assert!(key.starts_with("{north-campus}:"), "{key}");
    }
}

/// As Redis Cluster's specification has it: CRC16 (XMODEM) of the hash tag, modulo 16384.
fn slot(key: &str) -> u16 {
    let tag = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'));
    let hashed = tag
        .map(|(tag, _)| tag)
        .filter(|tag| !tag.is_empty())
        .unwrap_or(key);
    let crc = hashed.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => crc << 1 ^ 0x1021,
        })
    });
    crc % 16384
}

#[test]
fn the_slot_is_computed_as_redis_does() {
    assert_eq!(slot("123456789"), 0x31C3);
    assert_eq!(slot("{user1000}.following"), slot("user1000"));
}
