//! The fleet's places among its processes: whoever ends a lease takes another in the same step, and still nobody goes
//! without who comes later.

use std::time::Duration;

use futures::FutureExt;
use harness::{
    namespace::{LONG, Namespace, done, settlement},
    redis::Redis,
    rows::change,
};
use jobs::destination::{Destination::Crm, Vendor};
use queue::lease::{ClaimRequest, Lease};

use super::waking::listening;

/// Of the whole fleet.
const PLACES: usize = 8;

/// A process: what it holds.
struct Process<'a> {
    namespace: &'a Namespace,
    name: &'static str,
    holds: Vec<Lease>,
}

impl<'a> Process<'a> {
    fn new(namespace: &'a Namespace, name: &'static str) -> Self {
        Self {
            namespace,
            name,
            holds: Vec::new(),
        }
    }

    /// Settles so many, and takes what it can get; returns how many those are, and when to look again.
    async fn exchange(&mut self, ended: usize) -> (usize, Option<Duration>) {
        let ended: Vec<_> = (self.holds.drain(..ended))
            .map(|lease| settlement(&lease, done()))
            .collect();
        let request = ClaimRequest {
            most: PLACES - self.holds.len(),
            held: self.holds.len(),
            lease: LONG,
            fleet_limit: PLACES,
            full_batch: 1,
            linger_over: true,
        };
        let queue = &self.namespace.queue;
        let exchanged = queue.exchange(Crm, self.name, &ended, Some(&request));
        let claimed = exchanged.await.unwrap().claimed;
        let taken = claimed.leases.len();
        self.holds.extend(claimed.leases);
        (taken, claimed.look_again)
    }

    /// Settles everything, and takes nothing more.
    async fn leave(&mut self) {
        let ended: Vec<_> = (self.holds.drain(..))
            .map(|lease| settlement(&lease, done()))
            .collect();
        let queue = &self.namespace.queue;
        queue.settle(Crm, self.name, &ended).await.unwrap();
    }
}

fn two(namespace: &Namespace) -> (Process<'_>, Process<'_>) {
    (
        Process::new(namespace, "first"),
        Process::new(namespace, "second"),
    )
}

async fn with_work(redis: &Redis) -> Namespace {
    let namespace = Namespace::of_crm(redis).await;
    let changes = (0..100).map(|n| change(&n.to_string(), Some(&format!("person {n}")), 0));
    namespace.enqueue(changes.collect()).await;
    namespace
}

#[tokio::test]
async fn what_ends_makes_room_for_as_many_in_the_same_step() {
    let redis = Redis::start().await;
    let namespace = with_work(&redis).await;
    let mut alone = Process::new(&namespace, "alone");
    assert_eq!(alone.exchange(0).await.0, PLACES);
    for ended in [1, 5, PLACES] {
        assert_eq!(alone.exchange(ended).await.0, ended);
    }
}

#[tokio::test]
async fn a_process_that_comes_to_a_full_fleet_is_called_and_gets_an_equal_share() {
    let redis = Redis::start().await;
    let namespace = with_work(&redis).await;
    let (bells, _listener) = listening(&namespace).await;
    let crm = bells.of(Vendor::Crm);
    let (mut first, mut second) = two(&namespace);
    assert_eq!(first.exchange(0).await.0, PLACES);
    assert_eq!(second.exchange(0).await.0, 0, "the fleet is full");
    for held in 1..=PLACES / 2 {
        assert_eq!(first.exchange(1).await.0, 0, "somebody is hungry");
        crm.rung().await;
        assert_eq!(second.exchange(0).await.0, 1);
        assert_eq!(second.holds.len(), held);
    }
    for process in [&mut first, &mut second] {
        assert_eq!(process.exchange(2).await.0, 2, "each keeps its share");
    }
}

#[tokio::test]
async fn what_the_hungry_leave_is_for_the_others() {
    let redis = Redis::start().await;
    let namespace = with_work(&redis).await;
    let (mut first, mut second) = two(&namespace);
    first.exchange(0).await;
    second.exchange(0).await;
    assert_eq!(first.exchange(2).await.0, 0);
    second.leave().await;
    assert_eq!(first.exchange(0).await.0, 2);
}

#[tokio::test]
async fn what_the_hungry_do_not_come_for_is_for_the_others_after_a_lease() {
    let redis = Redis::start().await;
    let namespace = with_work(&redis).await;
    let mut other = Namespace::of_crm(&redis).await;
    let (mut first, mut second) = two(&namespace);
    first.exchange(0).await;
    second.exchange(0).await;
    let (taken, look_again) = first.exchange(2).await;
    assert_eq!(taken, 0);
    assert!(
        look_again.is_some_and(|rest| rest <= LONG),
        "it looks again when the hungry may be dead: {look_again:?}"
    );
    other.age("hungry:crm").await;
    assert_eq!(first.exchange(0).await.0, 2);
}

#[tokio::test]
async fn whoever_stops_in_a_full_fleet_calls_the_hungry_to_its_places() {
    let redis = Redis::start().await;
    let namespace = with_work(&redis).await;
    let (bells, _listener) = listening(&namespace).await;
    let crm = bells.of(Vendor::Crm);
    let (mut first, mut second) = two(&namespace);
    first.exchange(0).await;
    second.exchange(0).await;
    crm.rung().now_or_never();
    first.leave().await;
    crm.rung().await;
    assert_eq!(second.exchange(0).await.0, PLACES);
}
