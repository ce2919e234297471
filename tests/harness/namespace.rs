//! A namespace with shorthands for what tests do to it. No test waits: time passes by [`Namespace::age`].

use std::time::Duration;

use jobs::{
    destination::{Destination, Vendor},
    outcome::{Blame, DeadClass, PauseReason},
};
use queue::{
    Queue, QueueSettings,
    acknowledgement::{AckBatch, AckClaim, AckEnd, AckLimits},
    audit::Actor,
    calls::{Booking, CallLimit, CallPurpose},
    executor::Transition,
    intake::{Enqueued, NewChange},
    lease::{ClaimRequest, Claimed, Lease},
    settlement::Settlement,
    stats::Books,
    verdict::SettleVerdict,
};
use redis::{AsyncTypedCommands, aio::MultiplexedConnection};

use crate::{redis::Redis, snapshot::Snapshot};

/// Who acts in the tests.
pub fn tester() -> Actor {
    Actor::at_command("tester")
}

/// Longer than any test.
pub const LONG: Duration = Duration::from_secs(3600);

/// A fetch that began before, and one that began after, everything that was closed so far.
pub const EARLY: u64 = 1_000_000_000_000;
pub const LATE: u64 = 8_000_000_000_000;

pub struct Namespace {
    pub queue: Queue,
    pub connection: MultiplexedConnection,
    name: String,
}

impl Namespace {
    /// For the CRM alone: what it does, Salsa does.
    pub async fn of_crm(redis: &Redis) -> Self {
        Self::with(redis, |settings| {
            settings.destinations = vec![Destination::Crm]
        })
        .await
    }

    /// For both destinations.
    pub async fn new(redis: &Redis) -> Self {
        Self::with(redis, |_| {}).await
    }

    /// With other settings.
    pub async fn with(redis: &Redis, change: impl FnOnce(&mut QueueSettings)) -> Self {
        let queue = redis.queue_with("campus", change).await;
        Self {
            name: queue.settings().namespace.clone(),
            queue,
            connection: redis.connect().await,
        }
    }

    /// The full name of a key.
    pub fn key(&self, rest: &str) -> String {
        format!("{{{}}}:{rest}", self.name)
    }

    pub async fn snapshot(&mut self) -> Snapshot {
        Snapshot::take(&mut self.connection, &self.name).await
    }

    pub async fn books(&self) -> Books {
        self.queue.status().await.unwrap().books
    }

    pub async fn enqueue(&self, changes: Vec<NewChange>) -> Enqueued {
        self.queue.enqueue(EARLY, &changes).await.unwrap()
    }

    /// Up to `most` changes for `worker`.
    pub async fn claim_as(&self, d: Destination, worker: &str, most: usize) -> Claimed {
        self.claim_within(d, worker, most, 1_000_000).await
    }

    /// Everything that a fleet with this limit may lease.
    pub async fn claim_up_to(&self, d: Destination, fleet_limit: usize) -> Vec<Lease> {
        self.claim_within(d, "worker", fleet_limit, fleet_limit)
            .await
            .leases
    }

    async fn claim_within(
        &self,
        d: Destination,
        worker: &str,
        most: usize,
        fleet_limit: usize,
    ) -> Claimed {
        self.queue
            .claim(
                d,
                worker,
                &ClaimRequest {
                    most,
                    held: 0,
                    lease: LONG,
                    fleet_limit,
                    full_batch: 1,
                    linger_over: true,
                },
            )
            .await
            .unwrap()
    }

    /// Everything that can be claimed.
    pub async fn claim(&self, d: Destination) -> Vec<Lease> {
        self.claim_as(d, "worker", 100).await.leases
    }

    /// The one change that can be claimed.
    pub async fn claim_one(&self, d: Destination) -> Lease {
        let mut leases = self.claim(d).await;
        assert_eq!(leases.len(), 1, "{leases:?}");
        leases.remove(0)
    }

    /// Whether it was settled.
    pub async fn settle(&self, d: Destination, lease: &Lease, transition: Transition) -> bool {
        let settlements = [settlement(lease, transition)];
        let verdicts = self.queue.settle(d, "worker", &settlements).await.unwrap();
        verdicts[0] != SettleVerdict::LeaseLost
    }

    /// Claims and applies everything, until nothing is left at `d`.
    pub async fn apply_all(&self, d: Destination) {
        loop {
            let leases = self.claim(d).await;
            if leases.is_empty() {
                return;
            }
            for lease in &leases {
                assert!(self.settle(d, lease, done()).await);
            }
        }
    }

    /// A batch of acknowledgements, if any is due.
    pub async fn claim_acknowledgements(&self) -> Option<AckBatch> {
        let limits = AckLimits {
            max_batch: 100,
            max_wait: Duration::ZERO,
            eager: true,
            lease: LONG,
        };
        match self.queue.claim_acknowledgements(&limits).await.unwrap() {
            AckClaim::Batch(batch) => Some(batch),
            AckClaim::Wait(_) => None,
        }
    }

    /// Acknowledges what may be acknowledged, and says what that was.
    pub async fn acknowledge_all(&self) -> Vec<String> {
        let Some(batch) = self.claim_acknowledgements().await else {
            return Vec::new();
        };
        let ids: Vec<String> = batch.changes.into_iter().map(|c| c.change_id).collect();
        let end = AckEnd::Accepted;
        let settled = self
            .queue
            .settle_acknowledgements(batch.token, &end, &ids)
            .await
            .unwrap();
        assert!(settled.iter().all(|settled| *settled));
        ids
    }

    /// Takes a place for a call to `vendor`.
    pub async fn book_call(&self, vendor: Vendor) {
        let limit = CallLimit {
            vendor,
            configured: Some(5),
            published: None,
        };
        let ids = [format!("call to {vendor}")];
        let booked = self.queue.book_calls(&limit, CallPurpose::Hand, LONG, &ids);
        assert_eq!(booked.await.unwrap().0, Booking::Given(1));
    }

    /// Takes a change out of a short lane, behind the queue's back.
    pub async fn lose_from_lane(&mut self, lane: &str, change_id: &str) {
        let key = self.key("lanes");
        let Some(text) = self.connection.hget(&key, lane).await.unwrap() else {
            return;
        };
        let ending = format!(" {change_id}");
        let lines = text.split('\n').filter(|line| !line.ends_with(&ending));
        let left: Vec<&str> = lines.collect();
        match left.is_empty() {
            true => self.connection.hdel(key, lane).await.unwrap(),
            false => self
                .connection
                .hset(key, lane, left.join("\n"))
                .await
                .unwrap(),
        };
    }

    /// What is stored of an open change: the digits of its fetch and its record.
    pub async fn stored(&mut self, change_id: &str) -> Option<String> {
        let key = self.key("changes");
        self.connection.hget(key, change_id).await.unwrap()
    }

    /// Stores it, behind the queue's back.
    pub async fn store(&mut self, change_id: &str, stored: &str) {
        let key = self.key("changes");
        self.connection.hset(key, change_id, stored).await.unwrap();
    }

    /// Loses it, as a Redis that evicts does.
    pub async fn lose_row(&mut self, change_id: &str) {
        let key = self.key("changes");
        self.connection.hdel(key, change_id).await.unwrap();
    }

    /// The time of everything in a sorted set has come.
    pub async fn age(&mut self, set: &str) {
        let key = self.key(set);
        let members = self.connection.zrange(&key, 0, -1).await.unwrap();
        for chunk in members.chunks(1000) {
            let aged: Vec<(f64, &String)> = chunk.iter().map(|member| (1.0, member)).collect();
            self.connection.zadd_multiple(&key, &aged).await.unwrap();
        }
    }

    /// The holder of the list that AlumnIQ is being told has not been heard of for a lease.
    pub async fn acknowledgers_lease_ends(&mut self) {
        let key = self.key("acking");
        assert!(
            self.connection.exists(&key).await.unwrap(),
            "no list is out"
        );
        self.connection.hset(&key, "ends", "1").await.unwrap();
    }

    /// A gate that the machine has shut is half open.
    pub async fn gates_time_has_come(&mut self, vendor: Vendor) {
        let key = self.key(&format!("gate:{vendor}"));
        assert!(
            self.connection.hexists(&key, "until").await.unwrap(),
            "it is not shut"
        );
        self.connection.hset(&key, "until", "1").await.unwrap();
    }

    /// Whether the gate is shut, half open included.
    pub async fn is_paused(&self, vendor: Vendor) -> bool {
        self.queue
            .status()
            .await
            .unwrap()
            .pauses
            .contains_key(&vendor)
    }

    /// The class of a change's letter.
    pub async fn letter(&self, vendor: Vendor, id: &str) -> Option<DeadClass> {
        let letters = self.queue.letters_of(id).await.unwrap();
        let letter = letters
            .into_iter()
            .find(|letter| letter.destination == vendor);
        letter.map(|letter| letter.class)
    }

    pub async fn replay(&self, vendor: Vendor, id: &str, apply_stale: bool) {
        let letters = [(vendor, id.to_owned())];
        let (handled, _) = self
            .queue
            .replay(&letters, apply_stale, &tester())
            .await
            .unwrap();
        assert_eq!(handled.handled, 1);
    }

    pub async fn discard(&self, vendor: Vendor, id: &str, keep_unacknowledged: bool) {
        let letters = [(vendor, id.to_owned())];
        let discarded = self
            .queue
            .discard(&letters, keep_unacknowledged, "not wanted", &tester())
            .await;
        assert_eq!(discarded.unwrap().handled, 1);
    }
}

/// The end of a lease whose change was a call of its own.
pub fn settlement(lease: &Lease, transition: Transition) -> Settlement {
    Settlement {
        lane: lease.lane.clone(),
        token: lease.token,
        call: lease.token,
        transition,
        took: Duration::ZERO,
        sent: None,
    }
}

pub fn done() -> Transition {
    Transition::Done {
        detail: "updated".to_owned(),
    }
}

/// After attempt number `attempts`.
pub fn retry(attempts: u32) -> Transition {
    Transition::Retry {
        delay: LONG,
        attempts,
        cause: "HTTP 500".to_owned(),
    }
}

/// Attempt number `attempts` was the last that is allowed.
pub fn exhausted(attempts: u32) -> Transition {
    Transition::Exhausted {
        delay: LONG,
        attempts,
        cause: "HTTP 500".to_owned(),
        blame: Blame::Unknown,
    }
}

pub fn pause() -> Transition {
    Transition::Pause {
        delay: Some(LONG),
        reason: PauseReason::Outage,
        cause: "connection refused".to_owned(),
    }
}

/// The call found the destination down, like `deferrals - 1` before it.
pub fn deferred(deferrals: u32) -> Transition {
    Transition::Defer {
        delay: LONG,
        attempts: 0,
        deferrals,
        cause: "HTTP 503".to_owned(),
        perhaps_taken: false,
    }
}

pub fn dead(class: DeadClass) -> Transition {
    Transition::Dead {
        class,
        cause: "no".to_owned(),
        advice: "look".to_owned(),
        attempts: 1,
    }
}
