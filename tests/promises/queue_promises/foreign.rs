//! A key of another type that somebody else wrote into the namespace: it is named while it is there, and once it is gone
//! nothing is lost, doubled, stuck or out of order.

use std::collections::BTreeMap;

use harness::{
    namespace::{EARLY, LONG, Namespace, dead, done, settlement, tester},
    redis::Redis,
    rows::change,
};
use jobs::{
    destination::{Destination::Crm, Vendor},
    outcome::DeadClass,
};
use queue::{
    QueueError,
    acknowledgement::{AckClaim, AckEnd, AckLimits},
    executor::Transition,
    intake::NewChange,
    lease::{ClaimRequest, Lease},
};
use redis::AsyncTypedCommands;

/// Keys that every step of the way writes or reads.
const KEYS: &[&str] = &[
    "counters",
    "outstanding",
    "dead",
    "discarded",
    "seals",
    "namespace",
    "acking",
    "ack",
    "token",
    "told",
    "rates:fetched",
    "rates:crm",
    "rates:acknowledged",
    "ready:crm",
    "lease:crm",
    "due:crm",
    "running:crm",
    "attempts:crm",
    "crashes:crm",
    "suspects:crm",
    "forced:crm",
    "applied:crm",
    "claimed:crm",
    "poison:crm",
    "hungry:crm",
    "gate:crm",
    "gate:alumniq",
    "audit",
    "lanes",
    "changes",
    "events",
    "buckets",
    "letters-of:x:bob",
    "letter:crm:3",
    "sent:crm:3",
    "letters:crm:rejected",
    "causes:crm:rejected",
];

/// What the way of three changes has seen: two of ada's, and one of bob's that is rejected and given up.
#[derive(Default)]
struct Way {
    leases: Vec<Lease>,
    list: Option<(u64, Vec<String>)>,
    applied: Vec<String>,
    told: BTreeMap<String, usize>,
    errors: String,
}

fn rows() -> Vec<NewChange> {
    vec![
        change("1", Some("ada"), 1),
        change("2", Some("ada"), 2),
        change("3", Some("bob"), 3),
    ]
}

impl Way {
    fn note<T>(&mut self, answer: Result<T, QueueError>) -> Option<T> {
        answer
            .map_err(|error| self.errors += &format!("{error}\n"))
            .ok()
    }

    async fn enqueue(&mut self, namespace: &Namespace) {
        let taken = namespace.queue.enqueue(EARLY, &rows()).await;
        self.note(taken);
    }

    async fn claim(&mut self, namespace: &Namespace) {
        let request = ClaimRequest {
            most: 10,
            held: 0,
            lease: LONG,
            fleet_limit: 10,
            full_batch: 1,
            linger_over: true,
        };
        let claimed = namespace.queue.claim(Crm, "worker", &request).await;
        if let Some(claimed) = self.note(claimed) {
            self.leases.extend(claimed.leases);
        }
    }

    fn end_of(lease: &Lease) -> Transition {
        match lease.change_id.as_str() {
            "3" => dead(DeadClass::Rejected),
            _ => done(),
        }
    }

    async fn settle(&mut self, namespace: &Namespace) {
        let leases = std::mem::take(&mut self.leases);
        self.applied
            .extend(leases.iter().map(|lease| lease.change_id.clone()));
        let ended: Vec<_> = leases
            .iter()
            .map(|lease| settlement(lease, Self::end_of(lease)))
            .collect();
        let settled = namespace.queue.settle(Crm, "worker", &ended).await;
        self.note(settled);
    }

    async fn discard(&mut self, namespace: &Namespace) {
        let letters = [(Vendor::Crm, "3".to_owned())];
        let discarded = namespace
            .queue
            .discard(&letters, false, "no", &tester())
            .await;
        self.note(discarded);
    }

    async fn claim_list(&mut self, namespace: &Namespace) {
        let limits = AckLimits {
            max_batch: 10,
            max_wait: std::time::Duration::ZERO,
            eager: true,
            lease: LONG,
        };
        let claimed = namespace.queue.claim_acknowledgements(&limits).await;
        if let Some(AckClaim::Batch(batch)) = self.note(claimed) {
            let ids = batch.changes.into_iter().map(|change| change.change_id);
            self.list = Some((batch.token, ids.collect()));
        }
    }

    async fn settle_list(&mut self, namespace: &Namespace) {
        let Some((token, ids)) = self.list.take() else {
            return;
        };
        for id in &ids {
            *self.told.entry(id.clone()).or_default() += 1;
        }
        let end = AckEnd::Accepted;
        let settled = namespace
            .queue
            .settle_acknowledgements(token, &end, &ids)
            .await;
        self.note(settled);
    }

    async fn step(&mut self, number: usize, namespace: &Namespace) {
        match number {
            0 => self.enqueue(namespace).await,
            1 | 3 => self.claim(namespace).await,
            2 | 4 => self.settle(namespace).await,
            5 => self.discard(namespace).await,
            6 => self.claim_list(namespace).await,
            _ => self.settle_list(namespace).await,
        }
    }
}

const STEPS: usize = 8;

/// Leases have run out, and what waits for its time is due.
async fn time_passes(namespace: &mut Namespace) {
    for set in ["lease:crm", "due:crm"] {
        namespace.age(set).await;
    }
    let acking = namespace.key("acking");
    if namespace.connection.exists(&acking).await.unwrap() {
        namespace.acknowledgers_lease_ends().await;
    }
}

/// What is left of changes that are through.
fn is_left(key: &str) -> bool {
    let kinds = [
        "changes", "lane", "ready:", "lease:", "running:", "due:", "letter", "because:", "causes:",
    ];
    let names = ["ack", "acking", "dead", "outstanding", "discarded"];
    kinds.iter().any(|kind| key.starts_with(kind)) || names.contains(&key)
}

/// What went wrong, with the foreign key there from before `step` on until the next time everything was tried.
async fn met(redis: &Redis, key: &str, step: usize) -> Option<String> {
    redis.command("FLUSHALL").await;
    let mut namespace = Namespace::of_crm(redis).await;
    let mut way = Way::default();
    let name = namespace.key(key);
    for number in 0..STEPS {
        if number == step {
            if namespace.connection.exists(&name).await.unwrap() {
                return None;
            }
            // A stream is of no type that the queue knows.
            redis.command(&format!("XADD {name} * a b")).await;
        }
        way.step(number, &namespace).await;
    }
    if !way.errors.is_empty() && !way.errors.contains(&name) {
        return Some(format!("no error names it: {}", way.errors));
    }
    // The queue writes some keys whatever they hold.
    let kind: String =
        redis::from_redis_value(redis.command(&format!("TYPE {name}")).await).unwrap();
    if kind == "stream" {
        redis.command(&format!("DEL {name}")).await;
    }
    for _ in 0..6 {
        time_passes(&mut namespace).await;
        for number in 0..STEPS {
            way.step(number, &namespace).await;
        }
    }
    let books = namespace.books().await;
    let left: Vec<String> = namespace
        .snapshot()
        .await
        .keys()
        .filter(|key| is_left(key))
        .map(str::to_owned)
        .collect();
    let place = |id: &str| way.applied.iter().position(|applied| applied == id);
    let is_in_order = place("1") < place("2") && place("1").is_some();
    let is_told = ["1", "2", "3"].iter().all(|id| way.told.contains_key(*id));
    let balance = (books.fetched, books.acknowledged, books.discarded);
    let is_balanced = balance == (3, 2, 1) && books.in_flight == 0 && books.dead == 0;
    if left.is_empty() && is_in_order && is_told && is_balanced {
        return None;
    }
    Some(format!(
        "left {left:?}, applied {:?}, told {:?}, {books:?}, errors {}",
        way.applied, way.told, way.errors
    ))
}

#[tokio::test]
async fn a_foreign_key_is_named_and_leaves_nothing_behind_once_it_is_gone() {
    let redis = Redis::start().await;
    let mut wrong = Vec::new();
    for key in KEYS {
        for step in 0..STEPS {
            if let Some(what) = met(&redis, key, step).await {
                wrong.push(format!("{key} before step {step}: {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
