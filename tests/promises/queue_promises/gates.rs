//! Promises 7 and 8: an outage costs no change an attempt, and poison does not pass for an outage.

use std::time::Duration;

use alumniq_relay::queue::{
    acknowledgement::AckEnd,
    lease::{SettleVerdict, Settlement},
};
use jobs::{
    destination::{Destination::Crm, Vendor},
    outcome::{DeadClass, PauseReason},
};

use crate::harness::{
    namespace::{LONG, Namespace, dead, done, pause, retry},
    redis::Redis,
    rows::change,
};

async fn with_changes(redis: &Redis, count: usize) -> Namespace {
    let namespace = Namespace::of_crm(redis).await;
    let changes = (1..=count).map(|n| change(&n.to_string(), Some(&n.to_string()), 0));
    namespace.enqueue(changes.collect()).await;
    namespace
}

#[tokio::test]
async fn a_half_open_gate_lets_exactly_one_probe_out() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 5).await;
    let first = namespace.claim_as(Crm, "worker", 1).await.leases.remove(0);
    assert!(namespace.settle(Crm, &first, pause()).await);
    assert!(namespace.claim(Crm).await.is_empty(), "it is shut");

    namespace.gates_time_has_come(Vendor::Crm).await;
    let probe = namespace.claim_one(Crm).await;
    assert!(namespace.claim(Crm).await.is_empty(), "the probe is out");
    // A probe whose worker is lost makes room for the next.
    namespace.age("lease:crm").await;
    let next = namespace.claim_one(Crm).await;
    assert_ne!(next.change_id, probe.change_id);
    assert!(namespace.settle(Crm, &next, pause()).await);
    assert!(namespace.claim(Crm).await.is_empty(), "it is shut again");

    namespace.gates_time_has_come(Vendor::Crm).await;
    let probe = namespace.claim_one(Crm).await;
    assert_eq!(probe.attempts, 0);
    assert!(namespace.settle(Crm, &probe, done()).await);
    assert_eq!(namespace.claim(Crm).await.len(), 4, "it is open");
}

#[tokio::test]
async fn a_half_open_gate_to_alumniq_lets_exactly_one_list_out() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 2).await;
    let leases = namespace.claim(Crm).await;
    assert!(namespace.settle(Crm, &leases[0], done()).await);
    let shut = namespace
        .queue
        .shut(Vendor::Alumniq, Some(LONG), PauseReason::Outage, "down");
    shut.await.unwrap();
    assert!(namespace.claim_acknowledgements().await.is_none());
    namespace.gates_time_has_come(Vendor::Alumniq).await;
    let probe = namespace.claim_acknowledgements().await.unwrap();
    assert!(namespace.settle(Crm, &leases[1], done()).await);
    assert!(
        namespace.claim_acknowledgements().await.is_none(),
        "the probe is out"
    );
    let ids = [probe.changes[0].change_id.clone()];
    let settled = namespace
        .queue
        .settle_acknowledgements(probe.token, &AckEnd::Accepted, &ids);
    assert_eq!(settled.await.unwrap(), [true]);
    assert!(
        namespace.claim_acknowledgements().await.is_some(),
        "it is open"
    );
}

#[tokio::test]
async fn eight_different_failing_changes_in_a_row_shut_the_gate() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 9).await;
    let leases = namespace.claim(Crm).await;
    for lease in &leases[..7] {
        assert!(namespace.settle(Crm, lease, retry(1)).await);
    }
    assert!(!namespace.is_paused(Vendor::Crm).await);
    assert!(namespace.settle(Crm, &leases[7], retry(1)).await);
    assert!(namespace.is_paused(Vendor::Crm).await);
    assert!(namespace.settle(Crm, &leases[8], retry(1)).await);

    // What failed while the vendor was held to be down has used no attempt.
    namespace.gates_time_has_come(Vendor::Crm).await;
    let probe = namespace.claim_one(Crm).await;
    assert_eq!((probe.change_id.as_str(), probe.attempts), ("8", 0));
    assert!(namespace.settle(Crm, &probe, done()).await);
    let ninth = namespace.claim_one(Crm).await;
    assert_eq!((ninth.change_id.as_str(), ninth.attempts), ("9", 0));
}

#[tokio::test]
async fn a_few_changes_that_keep_failing_are_poison_and_shut_no_gate() {
    for poison in [1, 2, 7] {
        let redis = Redis::start().await;
        let mut namespace = with_changes(&redis, poison).await;
        for attempt in 0..10 {
            let leases = namespace.claim(Crm).await;
            assert_eq!(leases.len(), poison);
            for lease in &leases {
                assert_eq!(lease.attempts, attempt, "each attempt is paid for");
                assert!(namespace.settle(Crm, lease, retry(attempt + 1)).await);
            }
            namespace.age("due:crm").await;
        }
        assert!(
            !namespace.is_paused(Vendor::Crm).await,
            "{poison} poisonous changes"
        );
    }
}

#[tokio::test]
async fn a_success_in_between_breaks_the_row_of_failures() {
    let redis = Redis::start().await;
    let namespace = with_changes(&redis, 15).await;
    let leases = namespace.claim(Crm).await;
    for (n, lease) in leases.iter().enumerate() {
        let transition = if n == 7 { done() } else { retry(1) };
        assert!(namespace.settle(Crm, lease, transition).await);
    }
    assert!(!namespace.is_paused(Vendor::Crm).await);
}

#[tokio::test]
async fn an_outage_does_not_use_up_a_last_attempt() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 9).await;
    for lease in namespace.claim(Crm).await {
        // The executor cannot know that the others fail, too.
        assert!(
            namespace
                .settle(Crm, &lease, dead(DeadClass::Exhausted))
                .await
        );
    }
    assert!(namespace.is_paused(Vendor::Crm).await);
    assert_eq!(
        namespace.books().await.dead,
        7,
        "before eight have failed it is each one's own fault"
    );
    namespace.gates_time_has_come(Vendor::Crm).await;
    let probe = namespace.claim_one(Crm).await;
    assert!(
        namespace
            .settle(Crm, &probe, dead(DeadClass::Exhausted))
            .await
    );
    assert_eq!(
        namespace.books().await.dead,
        7,
        "the probe failed, and the vendor is still down"
    );
}

#[tokio::test]
async fn an_operators_pause_outranks_the_machine_and_resume_opens_all() {
    let redis = Redis::start().await;
    let namespace = with_changes(&redis, 2).await;
    let first = namespace.claim_as(Crm, "worker", 1).await.leases.remove(0);
    namespace
        .queue
        .pause(Vendor::Crm, "maintenance")
        .await
        .unwrap();
    assert!(
        namespace.settle(Crm, &first, done()).await,
        "what runs may end"
    );
    assert!(namespace.claim(Crm).await.is_empty());
    let down = namespace
        .queue
        .shut(Vendor::Crm, Some(LONG), PauseReason::Outage, "down");
    down.await.unwrap();
    namespace.queue.resume(Vendor::Crm).await.unwrap();
    assert_eq!(namespace.claim(Crm).await.len(), 1);
}

#[tokio::test]
async fn one_call_of_twenty_changes_that_fails_is_one_failure_and_shuts_no_gate() {
    let redis = Redis::start().await;
    let namespace = with_changes(&redis, 20).await;
    let leases = namespace.claim(Crm).await;
    let settlements: Vec<Settlement> = leases
        .iter()
        .map(|lease| Settlement {
            lane: lease.lane.clone(),
            token: lease.token,
            call: leases[0].token,
            transition: retry(1),
            took: Duration::ZERO,
        })
        .collect();
    let settled = namespace.queue.settle(Crm, "worker", &settlements).await;
    assert_eq!(settled.unwrap(), [SettleVerdict::Settled; 20]);
    let status = namespace.queue.status().await.unwrap();
    assert!(status.pauses.is_empty(), "{:?}", status.pauses);
    assert_eq!(status.destinations[&Crm].retry, 20);
}
