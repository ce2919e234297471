//! The queue notices its own damage, and repairs it without disturbing anybody.

use std::collections::BTreeMap;

use harness::{
    namespace::{Namespace, dead, done, retry},
    redis::{Redis, command},
    rows::undecodable,
};
use jiff::Timestamp;
use jobs::{
    destination::{
        Destination::{self, Crm, Salsa},
        Vendor,
    },
    order::order_key,
    outcome::DeadClass,
};
use proptest::{
    prelude::{Strategy, any},
    test_runner::{Config, TestCaseError, TestRunner},
};
use queue::{
    Record,
    defects::{DefectKind, Defects},
    intake::NewChange,
};
use redis::AsyncTypedCommands;
use serde_json::{Value, value::to_raw_value};

/// A change whose row says where it stands, as AlumnIQ's rows do.
fn change(id: &str, xid: &str, at: i64) -> NewChange {
    NewChange {
        change_id: id.to_owned(),
        xid: Some(xid.to_owned()),
        order: order_key(Timestamp::from_millisecond(at).ok(), id),
        row: to_raw_value(&serde_json::json!({ "changeId": id, "at": at })).unwrap(),
        letter: None,
        replaces: None,
        listed: None,
    }
}

fn order_of(record: &Record) -> Option<String> {
    let row: Value = serde_json::from_str(record.row.get()).ok()?;
    let at = Timestamp::from_millisecond(row["at"].as_i64()?).ok()?;
    Some(order_key(Some(at), row["changeId"].as_str()?))
}

/// `many` changes of half as many people.
fn changes(many: i64) -> Vec<NewChange> {
    let one = |n: i64| change(&n.to_string(), &format!("p{}", n / 2), n + 1);
    (0..many).map(one).collect()
}

async fn examine(namespace: &Namespace, fix: bool) -> Defects {
    namespace.queue.find_defects(&order_of, fix).await.unwrap()
}

/// Finds these, without changing anything; repairs them; and then finds nothing.
async fn repaired(namespace: &mut Namespace, kinds: &[DefectKind]) {
    let before = namespace.snapshot().await;
    let before = before.contents();
    let seen = examine(namespace, false).await;
    assert_eq!(seen.found.keys().copied().collect::<Vec<_>>(), kinds);
    assert_eq!(seen.left, seen.total());
    assert_eq!(
        namespace.snapshot().await.contents(),
        before,
        "looking changes nothing"
    );
    let fixed = examine(namespace, true).await;
    for kind in kinds {
        assert!(fixed.found.contains_key(kind), "{kind}: {fixed:?}");
    }
    assert_eq!(fixed.left, 0, "{fixed:?}");
    sound(namespace).await;
}

async fn sound(namespace: &Namespace) {
    let again = examine(namespace, false).await;
    assert_eq!((again.total(), again.recounted), (0, true), "{again:?}");
    let status = namespace.queue.status().await.unwrap();
    assert!(!status.is_damaged(), "{:?}", status.books);
}

/// Applies and acknowledges everything; which changes each destination got, and which AlumnIQ was told of, in order.
async fn drain(namespace: &mut Namespace) -> BTreeMap<Vendor, Vec<String>> {
    let mut got = BTreeMap::new();
    for d in Destination::ALL {
        let ids: &mut Vec<String> = got.entry(Vendor::from(d)).or_default();
        loop {
            namespace.age(&format!("lease:{d}")).await;
            namespace.age(&format!("due:{d}")).await;
            let leases = namespace.claim(d).await;
            if leases.is_empty() {
                break;
            }
            for lease in leases {
                assert!(namespace.settle(d, &lease, done()).await, "{lease:?}");
                ids.push(lease.change_id.clone());
            }
        }
    }
    let told = got.entry(Vendor::Alumniq).or_default();
    loop {
        let ids = namespace.acknowledge_all().await;
        if ids.is_empty() {
            return got;
        }
        told.extend(ids);
    }
}

/// Nothing is open and nothing is left over that does not expire.
async fn empty(namespace: &mut Namespace) {
    let books = namespace.books().await;
    assert_eq!((books.in_flight, books.dead), (0, 0), "{books}");
    let snapshot = namespace.snapshot().await;
    let stays = |key: &str| {
        let kept = [
            "counters",
            "audit",
            "token",
            "told",
            "limits:",
            "rates:",
            "applied:",
            "claimed:",
            "gate:",
            "namespace",
            "hungry:",
            "namespace",
        ];
        kept.iter().any(|kept| key.starts_with(kept))
    };
    for key in snapshot.keys() {
        assert!(
            stays(key) || snapshot.ttl(key).is_some(),
            "{key} is left over"
        );
    }
}

#[tokio::test]
async fn acknowledgements_that_were_settled_by_half_are_counted_and_their_rows_expire() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::new(&redis).await;
    namespace.enqueue(changes(500)).await;
    for d in Destination::ALL {
        namespace.apply_all(d).await;
    }
    let record = namespace.stored("7").await;
    let told: Vec<String> = {
        let mut all = Vec::new();
        loop {
            let ids = namespace.acknowledge_all().await;
            if ids.is_empty() {
                break all;
            }
            all.extend(ids);
        }
    };
    // A script that ended in its middle wrote the markers, and neither the counters nor the end of the rows.
    for id in &told[..400] {
        namespace.store(id, record.as_ref().unwrap()).await;
    }
    for (counter, by) in [("acknowledged", -400), ("in_flight", 400)] {
        let key = namespace.key("counters");
        namespace.connection.hincr(key, counter, by).await.unwrap();
    }
    let block = record.unwrap()[..13].to_owned();
    let key = namespace.key("outstanding");
    namespace.connection.hset(key, block, 400).await.unwrap();

    repaired(&mut namespace, &[DefectKind::Closed, DefectKind::Books]).await;
    let books = namespace.books().await;
    assert_eq!(
        (books.fetched, books.acknowledged, books.in_flight),
        (500, 500, 0)
    );
    empty(&mut namespace).await;
}

#[tokio::test]
async fn a_change_that_was_taken_in_by_half_is_carried_through() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::new(&redis).await;
    namespace.enqueue(changes(6)).await;
    for key in ["counters", "outstanding", "ready:crm", "ready:salsa"] {
        let key = namespace.key(key);
        namespace.connection.del(key).await.unwrap();
    }
    assert_eq!(
        namespace.enqueue(changes(6)).await.duplicates,
        6,
        "known, and stuck"
    );
    repaired(&mut namespace, &[DefectKind::Lane, DefectKind::Books]).await;
    let got = drain(&mut namespace).await;
    for vendor in Vendor::ALL {
        assert_eq!(got[&vendor].len(), 6, "{vendor}: {got:?}");
    }
    empty(&mut namespace).await;
}

#[tokio::test]
async fn a_change_that_is_nowhere_is_put_back_where_its_row_belongs() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::new(&redis).await;
    namespace.enqueue(changes(4)).await;
    // The older of two changes of one person.
    namespace.lose_from_lane("x:p1", "2").await;
    repaired(&mut namespace, &[DefectKind::Change, DefectKind::Books]).await;
    let got = drain(&mut namespace).await;
    let of_one = |vendor| {
        got[&vendor]
            .iter()
            .filter(|id| ["2", "3"].contains(&id.as_str()))
    };
    for vendor in Vendor::ALL {
        assert_eq!(of_one(vendor).collect::<Vec<_>>(), ["2", "3"], "{vendor}");
    }
    empty(&mut namespace).await;
}

#[tokio::test]
async fn counters_that_somebody_changed_are_recounted() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::new(&redis).await;
    namespace.enqueue(changes(3)).await;
    let lease = &namespace.claim_as(Crm, "worker", 1).await.leases[0];
    assert!(
        namespace
            .settle(Crm, lease, dead(DeadClass::Rejected))
            .await
    );
    let key = namespace.key("counters");
    for (counter, by) in [("in_flight", -5), ("acknowledged", 5), ("pending:crm", -9)] {
        namespace.connection.hincr(&key, counter, by).await.unwrap();
    }
    let status = namespace.queue.status().await.unwrap();
    assert_eq!(status.books.difference, 0);
    assert!(status.is_damaged(), "no queue has -3 changes in flight");
    assert!(
        status.books.to_string().contains("NEGATIVE"),
        "{}",
        status.books
    );
    repaired(&mut namespace, &[DefectKind::Books]).await;
    let status = namespace.queue.status().await.unwrap();
    assert_eq!((status.books.in_flight, status.books.dead), (2, 1));
    assert!(status.destinations[&Crm].waiting >= 0);
}

#[tokio::test]
async fn letters_and_what_names_them_agree_again() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let mut rows = changes(4);
    rows.push(undecodable("row-5eed"));
    namespace.enqueue(rows).await;
    for _ in 0..4 {
        for lease in namespace.claim(Crm).await {
            assert!(
                namespace
                    .settle(Crm, &lease, dead(DeadClass::Rejected))
                    .await
            );
        }
    }
    // Not in the lists; in a list without being there; dead without a letter; miscounted.
    let key = namespace.key("letters:crm:rejected");
    namespace.connection.zrem(&key, "0").await.unwrap();
    namespace.connection.zadd(&key, "ghost", 1).await.unwrap();
    let key = namespace.key("letter:crm:1");
    namespace.connection.del(key).await.unwrap();
    let key = namespace.key("dead");
    namespace.connection.hdel(key, "2").await.unwrap();
    let causes = namespace.key("causes:crm:rejected");
    let group = namespace.connection.zrange(&causes, 0, 0).await.unwrap();
    namespace
        .connection
        .zadd(&causes, &group[0], 17)
        .await
        .unwrap();

    let fixed = examine(&namespace, true).await;
    assert!(fixed.found.contains_key(&DefectKind::Letter), "{fixed:?}");
    assert_eq!(fixed.left, 0, "{fixed:?}");
    sound(&namespace).await;
    let books = namespace.books().await;
    assert_eq!((books.dead, books.in_flight), (4, 1), "one is tried again");
    for id in ["0", "2", "3"] {
        namespace.discard(Vendor::Crm, id, false).await;
    }
    namespace.apply_all(Crm).await;
    assert_eq!(namespace.books().await.dead, 1);
    sound(&namespace).await;
}

#[tokio::test]
async fn what_cannot_be_repaired_is_reported_and_left_alone() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(changes(2)).await;
    namespace.lose_row("1").await;
    let seen = examine(&namespace, true).await;
    assert_eq!(seen.found.get(&DefectKind::Row), Some(&1), "{seen:?}");
    assert_eq!(seen.left, 1, "AlumnIQ may still list it");
    assert_eq!(namespace.books().await.in_flight, 2);
    let key = namespace.key("lane:x:p9");
    namespace
        .connection
        .set(key, "of another program")
        .await
        .unwrap();
    let seen = examine(&namespace, true).await;
    assert_eq!(seen.found.get(&DefectKind::Key), Some(&1), "{seen:?}");
    assert_eq!(seen.left, 1);
}

/// What is broken, and of which change.
#[derive(Debug, Clone, Copy)]
enum Damage {
    LeaveReady,
    TwiceReady,
    AlsoDue,
    LoseHolder,
    LoseLease,
    LeaveLane,
    LeaveAck,
    LoseLetter,
    LoseDead,
    LoseIndexes,
    Miscount,
}

fn damage() -> impl Strategy<Value = Damage> {
    use Damage::*;
    proptest::sample::select(vec![
        LeaveReady,
        TwiceReady,
        AlsoDue,
        LoseHolder,
        LoseLease,
        LeaveLane,
        LeaveAck,
        LoseLetter,
        LoseDead,
        LoseIndexes,
        Miscount,
    ])
}

async fn inflict(namespace: &mut Namespace, damage: Damage, pick: u8) {
    let (id, d) = (pick % 12, Destination::ALL[usize::from(pick) % 2]);
    let (lane, prefix) = (format!("x:p{}", id / 2), namespace.key(""));
    let words = match damage {
        Damage::LeaveReady => format!("LREM {prefix}ready:{d} 0 {lane}"),
        Damage::TwiceReady => format!("RPUSHX {prefix}ready:{d} {lane}"),
        Damage::AlsoDue => format!("ZADD {prefix}due:{d} 9000000000000 {lane}"),
        Damage::LoseHolder => format!("HDEL {prefix}running:{d} {lane}"),
        Damage::LoseLease => format!("ZREM {prefix}lease:{d} {lane}"),
        Damage::LeaveLane => {
            namespace.lose_from_lane(&lane, &id.to_string()).await;
            return;
        }
        Damage::LeaveAck => format!("ZREM {prefix}ack {id}"),
        Damage::LoseLetter => format!("DEL {prefix}letter:{d}:{id}"),
        Damage::LoseDead => format!("HDEL {prefix}dead {id}"),
        Damage::LoseIndexes => format!(
            "DEL {prefix}letters:{d}:rejected {prefix}causes:{d}:rejected {prefix}letters-of:{lane}"
        ),
        Damage::Miscount => {
            let counter = ["in_flight", "dead", "pending:crm", "fetched"][usize::from(pick) % 4];
            format!(
                "HINCRBY {prefix}counters {counter} {}",
                i64::from(pick) - 99
            )
        }
    };
    command(&mut namespace.connection, &words).await;
}

/// A queue in the middle of its work: some through, some dead, some leased, some to be tried again.
async fn busy(namespace: &Namespace, seed: u8) {
    namespace.enqueue(changes(12)).await;
    for d in Destination::ALL {
        let leases = namespace.claim_as(d, "worker", 5).await.leases;
        for (n, lease) in leases.iter().enumerate() {
            let end = match (n + usize::from(seed)) % 4 {
                0 => done(),
                1 => dead(DeadClass::Rejected),
                2 => retry(1),
                _ => continue,
            };
            assert!(namespace.settle(d, lease, end).await);
        }
    }
}

#[test]
fn a_queue_that_was_damaged_at_random_and_repaired_loses_doubles_and_leaves_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let redis = runtime.block_on(Redis::start());
    let mut runner = TestRunner::new(Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    });
    let case = (
        any::<u8>(),
        proptest::collection::vec((damage(), any::<u8>()), 1..8),
    );
    let outcome = runner.run(&case, |(seed, damages)| {
        runtime.block_on(async {
            let mut namespace = Namespace::new(&redis).await;
            namespace.connection.flushall().await.unwrap();
            busy(&namespace, seed).await;
            for (damage, pick) in damages {
                inflict(&mut namespace, damage, pick).await;
            }
            let fixed = examine(&namespace, true).await;
            assert_eq!(fixed.left, 0, "{fixed:?}");
            sound(&namespace).await;
            carried_through(&mut namespace).await;
        });
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Replays every letter until nothing is open; each change reaches AlumnIQ once.
async fn carried_through(namespace: &mut Namespace) {
    let mut told = Vec::new();
    for _ in 0..3 {
        told.extend(drain(namespace).await.remove(&Vendor::Alumniq).unwrap());
        sound(namespace).await;
        for id in 0..12 {
            for vendor in [Vendor::Crm, Vendor::Salsa] {
                if namespace.letter(vendor, &id.to_string()).await.is_some() {
                    namespace.replay(vendor, &id.to_string(), true).await;
                }
            }
        }
    }
    told.sort_by_key(|id| id.parse::<u8>().unwrap());
    let all: Vec<String> = (0..12).map(|id| id.to_string()).collect();
    assert_eq!(told, all, "nothing is lost, and nothing is told twice");
    empty(namespace).await;
}

#[tokio::test]
async fn a_busy_healthy_queue_is_not_disturbed() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::new(&redis).await;
    let many = 600;
    let passes = {
        let working = async {
            let mut rows = changes(many);
            while !rows.is_empty() {
                let part = rows.drain(..50).collect();
                namespace.enqueue(part).await;
                for d in [Crm, Salsa] {
                    for lease in namespace.claim_as(d, "worker", 40).await.leases {
                        let end = if lease.attempts == 0 && lease.token % 7 == 0 {
                            retry(1)
                        } else {
                            done()
                        };
                        assert!(namespace.settle(d, &lease, end).await, "{lease:?}");
                    }
                }
                namespace.acknowledge_all().await;
            }
        };
        tokio::pin!(working);
        let mut passes = 0;
        loop {
            tokio::select! {
                () = &mut working => break,
                seen = examine(&namespace, true) => {
                    passes += 1;
                    assert_eq!(seen.total(), 0, "pass {passes}: {seen:?}");
                }
            }
        }
        passes
    };
    assert!(passes > 0, "it was examined while it worked");
    sound(&namespace).await;
    drain(&mut namespace).await;
    sound(&namespace).await;
    let books = namespace.books().await;
    assert_eq!((books.acknowledged, books.in_flight), (many, 0), "{books}");
    empty(&mut namespace).await;
}
