//! Who rests until called is called: nothing comes to be that nobody hears of, also where a call is lost.

use std::time::Duration;

use futures::FutureExt;
use harness::{
    namespace::{LONG, Namespace, dead, done, retry, tester},
    redis::Redis,
    rows::change,
    waiting::until_true,
};
use jobs::{
    destination::{Destination::Crm, Vendor},
    outcome::DeadClass,
};
use queue::{
    acknowledgement::{AckClaim, AckLimits},
    bulk::{BulkAction, BulkClaim, BulkNews, BulkOrder},
    calls::{Booking, CallLimit, CallPurpose},
    lease::ClaimRequest,
    letters::LetterFilter,
    wake::{Bell, Bells},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// A process that listens, and has made up for what it may have missed before.
pub async fn listening(namespace: &Namespace) -> (Bells, AbortOnDropHandle<()>) {
    let bells = Bells::default();
    let ring = {
        let (queue, bells) = (namespace.queue.clone(), bells.clone());
        async move { queue.ring(bells, CancellationToken::new()).await }
    };
    let listener = AbortOnDropHandle::new(tokio::spawn(ring));
    until_true("calls are heard", async || bells.fleet().hears()).await;
    for bell in every(&bells) {
        bell.rung().await;
    }
    (bells, listener)
}

fn every(bells: &Bells) -> [&Bell; 8] {
    let [crm, salsa, alumniq] = [Vendor::Crm, Vendor::Salsa, Vendor::Alumniq];
    [
        bells.of(crm),
        bells.of(salsa),
        bells.of(alumniq),
        bells.producer(),
        bells.limits(),
        bells.bulks(),
        bells.fleet(),
        bells.notices(),
    ]
}

#[tokio::test]
async fn a_call_that_was_lost_with_the_connection_is_made_up_for_when_there_is_a_new_one() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let (bells, _listener) = listening(&namespace).await;
    let crm = bells.of(Vendor::Crm);
    redis.command("CLIENT KILL TYPE pubsub").await;
    until_true("the loss is noticed", async || !crm.hears()).await;
    crm.rung().await;
    // Nobody hears of this one, or at the earliest at the listener's return.
    namespace.enqueue(vec![change("1", Some("ada"), 1)]).await;
    until_true("there is a listener again", async || crm.hears()).await;
    for bell in every(&bells) {
        bell.rung().await;
    }
}

#[tokio::test]
async fn whatever_somebody_waits_for_is_called_out() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let (bells, _listener) = listening(&namespace).await;
    let queue = &namespace.queue;
    let minute = Duration::from_secs(60);

    namespace.enqueue(vec![change("1", Some("ada"), 1)]).await;
    bells.of(Vendor::Crm).rung().await;
    bells.fleet().rung().await;

    let lease = namespace.claim_one(Crm).await;
    assert!(namespace.settle(Crm, &lease, done()).await);
    bells.of(Vendor::Alumniq).rung().await;

    // What an operator does is seen by everybody, too.
    bells.fleet().rung().now_or_never();
    queue.pause(Vendor::Crm, &tester()).await.unwrap();
    bells.fleet().rung().await;
    queue.resume(Vendor::Crm, &tester()).await.unwrap();
    bells.of(Vendor::Crm).rung().await;
    bells.limits().rung().await;

    // Nobody has asked Salsa for its limits yet.
    let limit = CallLimit {
        vendor: Vendor::Salsa,
        configured: None,
        published: Some(300),
    };
    let ids = ["call".to_owned()];
    let booked = queue.book_calls(&limit, CallPurpose::Work, minute, &ids);
    assert_eq!(booked.await.unwrap().0, Booking::Given(1));
    bells.limits().rung().await;
    queue.doubt_limits(Vendor::Salsa, minute).await.unwrap();
    bells.limits().rung().await;

    assert!(queue.lead("one", minute).await.unwrap().is_some());
    queue.resign("one").await.unwrap();
    bells.producer().rung().await;

    let order = BulkOrder {
        action: BulkAction::Replay,
        filter: LetterFilter::default(),
        rate: None,
        reason: String::new(),
        apply_stale: false,
        keep_unacknowledged: false,
        by: tester(),
    };
    queue.start_bulk(&order, 0, "").await.unwrap();
    bells.bulks().rung().await;
    let BulkClaim::Lease(bulk) = queue.claim_bulk(None, "one", LONG).await.unwrap() else {
        panic!("nobody works on it");
    };
    let news = BulkNews::default();
    let given_back = queue.keep_bulk(&bulk, Duration::ZERO, &news).await;
    assert!(given_back.unwrap());
    bells.bulks().rung().await;
}

#[tokio::test]
async fn once_a_list_of_changes_waits_for_alumniq_it_is_called_out() {
    for list in [200, 30] {
        is_called_out_for(list).await;
    }
}

/// `list`: `acknowledge.max_batch`.
async fn is_called_out_for(list: i64) {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let (bells, _listener) = listening(&namespace).await;
    let limits = AckLimits {
        max_batch: list as usize,
        max_wait: LONG,
        eager: false,
        lease: LONG,
    };
    let waits = namespace.queue.claim_acknowledgements(&limits).await;
    assert!(matches!(waits, Ok(AckClaim::Wait(None))), "{waits:?}");
    let rung = || bells.of(Vendor::Alumniq).rung();
    let changes = (1..=list + 1).map(|at| change(&at.to_string(), None, at));
    namespace.enqueue(changes.collect()).await;
    let settle_one = async || {
        let lease = namespace.claim_as(Crm, "worker", 1).await.leases.remove(0);
        assert!(namespace.settle(Crm, &lease, done()).await);
    };
    settle_one().await;
    rung().await;
    for _ in 2..list {
        settle_one().await;
    }
    // Whoever hears this has heard all that was called before.
    bells.fleet().rung().now_or_never();
    bells.producer().rung().now_or_never();
    assert!(namespace.queue.lead("one", LONG).await.unwrap().is_some());
    namespace.queue.resign("one").await.unwrap();
    bells.producer().rung().await;
    assert_eq!(rung().now_or_never(), None, "there are not enough yet");
    settle_one().await;
    rung().await;
}

/// Whoever is to tell AlumnIQ of the last changes at once waits for them.
#[tokio::test]
async fn once_all_that_is_in_flight_waits_for_alumniq_it_is_called_out() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let (bells, _listener) = listening(&namespace).await;
    let rung = || bells.of(Vendor::Alumniq).rung();
    let persons = ["ada", "bob", "cleo", "dora"].into_iter().zip(1..);
    let changes = persons.map(|(person, at)| change(&at.to_string(), Some(person), at));
    namespace.enqueue(changes.collect()).await;
    let leases = namespace.claim(Crm).await;
    assert!(namespace.settle(Crm, &leases[0], done()).await);
    rung().await;

    assert!(namespace.settle(Crm, &leases[1], done()).await);
    assert!(namespace.settle(Crm, &leases[2], done()).await);
    let dies = dead(DeadClass::Rejected);
    assert!(namespace.settle(Crm, &leases[3], dies).await);
    rung().await;

    // The last one that is done calls, too.
    namespace.replay(Vendor::Crm, "4", false).await;
    let lease = namespace.claim_one(Crm).await;
    assert!(namespace.settle(Crm, &lease, done()).await);
    rung().await;
}

#[tokio::test]
async fn whoever_finds_nothing_learns_when_that_changes_without_a_call() {
    const LEASE: Duration = Duration::from_secs(10);
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let queue = &namespace.queue;
    let look = async || {
        let request = ClaimRequest {
            most: 10,
            held: 0,
            lease: LEASE,
            fleet_limit: 10,
            full_batch: 1,
            linger_over: true,
        };
        let claimed = queue.claim(Crm, "other", &request).await.unwrap();
        (claimed.leases, claimed.look_again)
    };
    assert_eq!(look().await.1, None, "nothing is there");
    namespace.enqueue(vec![change("1", Some("ada"), 1)]).await;
    let lease = look().await.0.remove(0);
    let ends = look()
        .await
        .1
        .expect("the lease of the one who has it ends");
    assert!(ends <= LEASE, "{ends:?}");
    assert!(namespace.settle(Crm, &lease, retry(1)).await);
    look().await.1.expect("the retry is due");

    namespace.enqueue(vec![change("2", Some("bob"), 1)]).await;
    let lease = namespace.claim_one(Crm).await;
    assert!(namespace.settle(Crm, &lease, done()).await);
    let limits = AckLimits {
        max_batch: 100,
        max_wait: Duration::ZERO,
        eager: false,
        lease: LEASE,
    };
    let told = queue.claim_acknowledgements(&limits).await.unwrap();
    assert!(matches!(told, AckClaim::Batch(_)));
    match queue.claim_acknowledgements(&limits).await.unwrap() {
        AckClaim::Wait(Some(ends)) => assert!(ends <= LEASE, "{ends:?}"),
        other => panic!("the list's lease ends: {other:?}"),
    }

    assert!(queue.lead("one", LEASE).await.unwrap().is_some());
    let other = queue.leading("two", LEASE).await.unwrap();
    assert_eq!(other.lead, None);
    let ends = other.ends;
    assert!(ends > Duration::ZERO && ends <= LEASE, "{ends:?}");
}
