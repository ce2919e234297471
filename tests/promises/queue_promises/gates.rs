//! Promises 7 and 8: an outage costs no change an attempt, and poison does not pass for an outage.

use std::time::Duration;

use harness::namespace::tester;
use harness::{
    namespace::{LONG, Namespace, deferred, done, exhausted, pause, retry, settlement},
    redis::Redis,
    rows::change,
};
use jobs::{
    destination::{Destination::Crm, Vendor},
    outcome::{DeadClass, PauseReason},
};
use queue::{
    acknowledgement::AckEnd, executor::Transition, settlement::Settlement, verdict::SettleVerdict,
};
use redis::AsyncTypedCommands;

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
    assert_eq!(
        namespace.claim(Crm).await.len(),
        2,
        "it opens, step by step"
    );
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
async fn eight_failing_calls_in_a_row_shut_the_gate_and_get_their_attempts_back() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 9).await;
    let leases = namespace.claim(Crm).await;
    for lease in &leases[..7] {
        assert!(namespace.settle(Crm, lease, retry(1)).await);
    }
    assert!(!namespace.is_paused(Vendor::Crm).await);
    assert!(namespace.settle(Crm, &leases[7], retry(1)).await);
    assert!(namespace.is_paused(Vendor::Crm).await);
    // It was under way when the gate shut.
    assert!(namespace.settle(Crm, &leases[8], retry(1)).await);

    namespace.gates_time_has_come(Vendor::Crm).await;
    namespace.age("due:crm").await;
    let probe = namespace.claim_one(Crm).await;
    assert_eq!(probe.attempts, 0);
    assert!(namespace.settle(Crm, &probe, done()).await);
    namespace
        .queue
        .resume(Vendor::Crm, &tester())
        .await
        .unwrap();
    let others = namespace.claim(Crm).await;
    assert_eq!(others.len(), 8);
    for lease in others {
        assert_eq!(lease.attempts, 0, "{}", lease.change_id);
    }
    let timeline = namespace.queue.timeline("1").await.unwrap().unwrap();
    let events = timeline.events.iter().map(|event| event["event"].as_str());
    let events: Vec<&str> = events.flatten().collect();
    assert_eq!(events, ["fetched", "retry", "refunded"]);
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
async fn poison_is_told_from_an_outage_by_what_was_accepted_meanwhile() {
    const POISON: usize = 30;
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, POISON + 6).await;
    // At most seven of them fail before something else is accepted.
    let leases = namespace.claim(Crm).await;
    for (n, lease) in leases.iter().enumerate() {
        let transition = if n % 6 == 5 { done() } else { retry(1) };
        assert!(namespace.settle(Crm, lease, transition).await);
    }
    // Those calls were under way together: only one that begins later proves anything.
    let late = change("late", Some("late"), 0);
    namespace.enqueue(vec![late]).await;
    let late = namespace.claim_one(Crm).await;
    assert!(namespace.settle(Crm, &late, done()).await);

    // From now on nothing is accepted, and all the same each pays for itself.
    for attempt in 1..3 {
        namespace.age("due:crm").await;
        let leases = namespace.claim(Crm).await;
        assert_eq!(leases.len(), POISON);
        for lease in &leases {
            assert_eq!(lease.attempts, attempt);
            assert!(namespace.settle(Crm, lease, retry(attempt + 1)).await);
        }
    }
    assert!(!namespace.is_paused(Vendor::Crm).await);
    namespace.age("due:crm").await;
    for lease in namespace.claim(Crm).await {
        assert!(namespace.settle(Crm, &lease, exhausted(4)).await);
        let class = namespace.letter(Vendor::Crm, &lease.change_id).await;
        assert_eq!(class, Some(DeadClass::Exhausted));
    }
}

#[tokio::test]
async fn the_success_of_a_call_that_began_before_a_failure_does_not_prove_that_the_vendor_works() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 2).await;
    let leases = namespace.claim(Crm).await;
    assert!(namespace.settle(Crm, &leases[0], retry(1)).await);
    assert!(namespace.settle(Crm, &leases[1], done()).await);
    // It may have gone down in between.
    namespace.age("due:crm").await;
    let lease = namespace.claim_one(Crm).await;
    assert!(namespace.settle(Crm, &lease, exhausted(2)).await);
    assert_eq!(namespace.letter(Vendor::Crm, &lease.change_id).await, None);

    // Something that began later is accepted.
    namespace.enqueue(vec![change("9", Some("other"), 0)]).await;
    let other = namespace.claim_one(Crm).await;
    assert!(namespace.settle(Crm, &other, done()).await);
    namespace.age("due:crm").await;
    let lease = namespace.claim_one(Crm).await;
    assert_eq!(lease.attempts, 2);
    assert!(namespace.settle(Crm, &lease, exhausted(3)).await);
    let class = namespace.letter(Vendor::Crm, &lease.change_id).await;
    assert_eq!(class, Some(DeadClass::Exhausted));
}

#[tokio::test]
async fn too_few_changes_to_show_an_outage_outlive_it_but_not_patience() {
    let redis = Redis::start().await;
    for (patience, dies) in [(LONG, false), (Duration::ZERO, true)] {
        let mut namespace = Namespace::with(&redis, |settings| {
            settings.namespace = format!("{patience:?}");
            settings.patience = patience;
        })
        .await;
        let changes = (1..=7).map(|n| change(&n.to_string(), Some(&n.to_string()), 0));
        namespace.enqueue(changes.collect()).await;
        for attempts in 1..40 {
            namespace.age("due:crm").await;
            for lease in namespace.claim(Crm).await {
                let transition = if attempts < 10 {
                    retry(attempts)
                } else {
                    exhausted(attempts)
                };
                assert!(namespace.settle(Crm, &lease, transition).await);
            }
        }
        assert!(!namespace.is_paused(Vendor::Crm).await);
        assert_eq!(namespace.books().await.dead, if dies { 7 } else { 0 });
    }
}

#[tokio::test]
async fn a_change_that_fails_in_a_batch_whose_others_are_accepted_fails_for_itself() {
    let redis = Redis::start().await;
    let namespace = with_changes(&redis, 3).await;
    let leases = namespace.claim(Crm).await;
    let ends = [done(), exhausted(1), done()];
    let settlements = leases.iter().zip(ends);
    let settlements: Vec<Settlement> = settlements
        .map(|(lease, transition)| Settlement {
            call: leases[0].token,
            ..settlement(lease, transition)
        })
        .collect();
    let settled = namespace.queue.settle(Crm, "worker", &settlements).await;
    assert_eq!(settled.unwrap(), [SettleVerdict::Settled; 3]);
    let class = namespace.letter(Vendor::Crm, &leases[1].change_id).await;
    assert_eq!(class, Some(DeadClass::Exhausted));
}

#[tokio::test]
async fn an_outage_does_not_use_up_a_last_attempt() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 40).await;
    for lease in namespace.claim(Crm).await {
        // The executor cannot know that the others fail, too.
        assert!(namespace.settle(Crm, &lease, exhausted(1)).await);
    }
    assert!(namespace.is_paused(Vendor::Crm).await);
    // A pause is a minute at the most: more than an hour.
    for _ in 0..70 {
        namespace.gates_time_has_come(Vendor::Crm).await;
        namespace.age("due:crm").await;
        let probe = namespace.claim_one(Crm).await;
        assert_eq!(probe.attempts, 0);
        assert!(namespace.settle(Crm, &probe, exhausted(1)).await);
    }
    assert_eq!(namespace.books().await.dead, 0);
}

#[tokio::test]
async fn a_destination_that_comes_back_is_given_one_call_more_with_each_success() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 64).await;
    let first = namespace.claim_as(Crm, "worker", 1).await.leases.remove(0);
    assert!(namespace.settle(Crm, &first, pause()).await);
    namespace.gates_time_has_come(Vendor::Crm).await;
    let mut rounds = Vec::new();
    for _ in 0..5 {
        let leases = namespace.claim_up_to(Crm, 16).await;
        rounds.push(leases.len());
        for lease in &leases {
            assert!(namespace.settle(Crm, lease, done()).await);
        }
    }
    assert_eq!(rounds, [1, 2, 4, 8, 16]);
    let gate = namespace.key("gate:crm");
    let left = namespace.connection.hkeys(gate).await.unwrap();
    assert_eq!(left, ["opened"], "the trouble is forgotten");
}

#[tokio::test]
async fn a_call_that_hung_through_a_pause_costs_no_attempt_when_it_fails_at_last() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 3).await;
    let leases = namespace.claim_up_to(Crm, 3).await;
    assert!(namespace.settle(Crm, &leases[0], pause()).await);
    namespace.gates_time_has_come(Vendor::Crm).await;
    // Of those that began before: the first to answer opens the gate.
    assert!(namespace.settle(Crm, &leases[1], done()).await);
    assert!(!namespace.is_paused(Vendor::Crm).await);
    assert!(namespace.settle(Crm, &leases[2], exhausted(1)).await);
    assert_eq!(namespace.books().await.dead, 0);
    let again = namespace.claim(Crm).await;
    assert_eq!(again.len(), 2);
    for lease in again {
        assert_eq!(lease.attempts, 0, "{}", lease.change_id);
    }
}

#[tokio::test]
async fn a_destination_that_falls_over_while_it_is_tried_again_is_left_alone_for_longer() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 64).await;
    let refused = || Transition::Pause {
        delay: None,
        reason: PauseReason::Outage,
        cause: "connection refused".to_owned(),
    };
    let first = namespace.claim_as(Crm, "worker", 1).await.leases.remove(0);
    assert!(namespace.settle(Crm, &first, refused()).await);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        let status = namespace.queue.status().await.unwrap();
        pauses.push(status.pauses[&Vendor::Crm].seconds_left.unwrap().ceil());
        namespace.gates_time_has_come(Vendor::Crm).await;
        let probe = namespace.claim_up_to(Crm, 16).await;
        assert!(namespace.settle(Crm, &probe[0], done()).await);
        let next = namespace.claim_up_to(Crm, 16).await;
        assert_eq!(next.len(), 2);
        for lease in &next {
            assert!(namespace.settle(Crm, lease, refused()).await);
        }
    }
    assert_eq!(pauses, [1.0, 2.0, 4.0, 8.0]);
}

#[tokio::test]
async fn a_pause_is_the_longer_of_the_backoff_and_what_the_vendor_asks_for() {
    let redis = Redis::start().await;
    for (asked, expected) in [(0, [1.0, 2.0, 4.0, 8.0]), (3, [3.0, 3.0, 4.0, 8.0])] {
        for reason in [
            PauseReason::Outage,
            PauseReason::Throttled,
            PauseReason::Credentials,
        ] {
            let name = format!("{reason:?}-{asked}");
            let mut namespace = Namespace::with(&redis, |settings| {
                settings.namespace = name;
                settings.destinations = vec![Crm];
            })
            .await;
            let changes = (1..=4).map(|n| change(&n.to_string(), Some(&n.to_string()), 0));
            namespace.enqueue(changes.collect()).await;
            let mut pauses = Vec::new();
            for vendor in [Vendor::Crm, Vendor::Alumniq] {
                for _ in expected {
                    let (delay, cause) = (Some(Duration::from_secs(asked)), "later".to_owned());
                    if vendor == Vendor::Alumniq {
                        let shut = namespace.queue.shut(vendor, delay, reason, &cause);
                        shut.await.unwrap();
                    } else {
                        let lease = namespace.claim_as(Crm, "worker", 1).await.leases.remove(0);
                        let asks = Transition::Pause {
                            delay,
                            reason,
                            cause,
                        };
                        assert!(namespace.settle(Crm, &lease, asks).await);
                    }
                    let status = namespace.queue.status().await.unwrap();
                    pauses.push(status.pauses[&vendor].seconds_left.unwrap().ceil());
                    namespace.gates_time_has_come(vendor).await;
                }
            }
            assert_eq!(pauses, [expected, expected].concat(), "{reason:?}");
        }
    }
}

#[tokio::test]
async fn an_operators_pause_outranks_the_machine_and_resume_opens_all() {
    let redis = Redis::start().await;
    let namespace = with_changes(&redis, 2).await;
    let first = namespace.claim_as(Crm, "worker", 1).await.leases.remove(0);
    namespace.queue.pause(Vendor::Crm, &tester()).await.unwrap();
    assert!(
        namespace.settle(Crm, &first, done()).await,
        "what runs may end"
    );
    assert!(namespace.claim(Crm).await.is_empty());
    let down = namespace
        .queue
        .shut(Vendor::Crm, Some(LONG), PauseReason::Outage, "down");
    down.await.unwrap();
    namespace
        .queue
        .resume(Vendor::Crm, &tester())
        .await
        .unwrap();
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
            call: leases[0].token,
            ..settlement(lease, retry(1))
        })
        .collect();
    let settled = namespace.queue.settle(Crm, "worker", &settlements).await;
    assert_eq!(settled.unwrap(), [SettleVerdict::Settled; 20]);
    let status = namespace.queue.status().await.unwrap();
    assert!(status.pauses.is_empty(), "{:?}", status.pauses);
    assert_eq!(status.destinations[&Crm].retry, 20);
}

#[tokio::test]
async fn a_lone_call_that_finds_the_destination_down_delays_its_change_alone_and_costs_nothing() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 3).await;
    let leases = namespace.claim(Crm).await;
    assert!(namespace.settle(Crm, &leases[0], deferred(1)).await);
    assert!(!namespace.is_paused(Vendor::Crm).await);
    let status = namespace.queue.status().await.unwrap();
    assert_eq!(status.destinations[&Crm].retry, 1);
    let later = change("9", Some("other"), 0);
    namespace.enqueue(vec![later]).await;
    assert!(
        namespace
            .settle(Crm, &namespace.claim_one(Crm).await, done())
            .await
    );
    namespace.age("due:crm").await;
    let again = namespace.claim_one(Crm).await;
    assert_eq!((again.attempts, again.deferrals), (0, 1));
    // However often it happens to it, one after the other.
    for deferrals in 2..30 {
        let again = match deferrals {
            2 => again.clone(),
            _ => namespace.claim_one(Crm).await,
        };
        assert!(namespace.settle(Crm, &again, deferred(deferrals)).await);
        namespace.age("due:crm").await;
    }
    assert!(!namespace.is_paused(Vendor::Crm).await);
    let again = namespace.claim_one(Crm).await;
    assert_eq!((again.attempts, again.deferrals), (0, 29));
    assert!(namespace.settle(Crm, &again, done()).await);
    let kept = namespace.key("attempts:crm");
    assert!(!namespace.connection.exists(kept).await.unwrap());
}

#[tokio::test]
async fn a_change_that_alone_finds_the_destination_down_dies_once_patience_is_over() {
    let redis = Redis::start().await;
    for (patience, works, dies) in [
        (LONG, true, false),
        (Duration::ZERO, true, true),
        // Nothing shows that it is the change's: with nobody else in line it may be an outage.
        (Duration::ZERO, false, false),
    ] {
        let mut namespace = Namespace::with(&redis, |settings| {
            settings.namespace = format!("{patience:?} {works}");
            settings.patience = patience;
            settings.destinations = vec![Crm];
        })
        .await;
        let poison = change("poison", Some("poison"), 0);
        let newer = change("newer", Some("poison"), 1);
        namespace.enqueue(vec![poison, newer]).await;
        for n in 1..=9 {
            if works {
                let other = change(&n.to_string(), None, 0);
                namespace.enqueue(vec![other]).await;
            }
            let mut poisoned = None;
            for lease in namespace.claim(Crm).await {
                match lease.change_id.as_str() {
                    "poison" => poisoned = Some(lease),
                    _ => assert!(namespace.settle(Crm, &lease, done()).await),
                }
            }
            let poisoned = poisoned.unwrap();
            let end = deferred(poisoned.deferrals + 1);
            assert!(namespace.settle(Crm, &poisoned, end).await);
            if namespace.is_paused(Vendor::Crm).await {
                namespace.gates_time_has_come(Vendor::Crm).await;
            }
            namespace.age("due:crm").await;
        }
        let class = namespace.letter(Vendor::Crm, "poison").await;
        assert_eq!(
            class,
            dies.then_some(DeadClass::Exhausted),
            "{patience:?} {works}"
        );
        assert_eq!(namespace.is_paused(Vendor::Crm).await, !works);
        let next = namespace.claim_one(Crm).await.change_id;
        assert_eq!(next, if dies { "newer" } else { "poison" });
    }
}

#[tokio::test]
async fn eight_calls_in_a_row_that_find_the_destination_down_pause_it() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 9).await;
    let leases = namespace.claim(Crm).await;
    for lease in &leases[..7] {
        assert!(namespace.settle(Crm, lease, deferred(1)).await);
    }
    assert!(!namespace.is_paused(Vendor::Crm).await);
    assert!(namespace.settle(Crm, &leases[7], deferred(1)).await);
    let status = namespace.queue.status().await.unwrap();
    let cause = &status.pauses[&Vendor::Crm].cause;
    assert_eq!(cause, "8 calls in a row failed, the last with: HTTP 503");
    // It was under way then.
    assert!(namespace.settle(Crm, &leases[8], deferred(1)).await);
    namespace.gates_time_has_come(Vendor::Crm).await;
    namespace.age("due:crm").await;
    let probe = namespace.claim_one(Crm).await;
    assert_eq!((probe.attempts, probe.deferrals), (0, 0));
    assert!(namespace.settle(Crm, &probe, deferred(1)).await);
    let status = namespace.queue.status().await.unwrap();
    let pause = &status.pauses[&Vendor::Crm];
    assert_eq!(pause.cause, "HTTP 503");
    assert_eq!(pause.seconds_left.unwrap().ceil(), 2.0);
    let timeline = namespace.queue.timeline("1").await.unwrap().unwrap();
    let events = timeline.events.iter().map(|event| event["event"].as_str());
    let events: Vec<&str> = events.flatten().collect();
    assert_eq!(events[..2], ["fetched", "retry"], "nothing was charged");
    assert!(!events.contains(&"refunded"), "{events:?}");
}

#[tokio::test]
async fn a_destination_of_which_half_the_calls_fail_is_paused_and_one_of_ten_is_not() {
    // So many changes, of which each n-th finds it down.
    for (every, is_paused) in [(10, false), (3, false), (2, true)] {
        let redis = Redis::start().await;
        let namespace = with_changes(&redis, 1000).await;
        let mut calls = 0;
        while !namespace.is_paused(Vendor::Crm).await && calls < 1000 {
            for lease in namespace.claim(Crm).await {
                calls += 1;
                let end = match calls % every {
                    0 => deferred(1),
                    _ => done(),
                };
                assert!(namespace.settle(Crm, &lease, end).await);
            }
        }
        assert_eq!(namespace.is_paused(Vendor::Crm).await, is_paused, "{every}");
        if is_paused {
            let status = namespace.queue.status().await.unwrap();
            let cause = &status.pauses[&Vendor::Crm].cause;
            assert!(cause.contains(" of the last "), "{cause}");
        }
    }
}

#[tokio::test]
async fn a_hanging_call_does_not_keep_the_probe_back_and_does_not_judge_its_outcome() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 6).await;
    let leases = namespace.claim_up_to(Crm, 3).await;
    let [hangs, hangs_too, fails] = &leases[..] else {
        panic!("three calls at a time: {leases:?}");
    };
    assert!(namespace.settle(Crm, fails, pause()).await);
    namespace.gates_time_has_come(Vendor::Crm).await;
    let probe = namespace.claim_one(Crm).await;
    assert!(namespace.claim(Crm).await.is_empty(), "the probe is out");
    // What began before the pause fails at last: the probe's word counts.
    assert!(namespace.settle(Crm, hangs, deferred(1)).await);
    assert!(namespace.settle(Crm, hangs_too, retry(1)).await);
    assert!(namespace.claim(Crm).await.is_empty(), "the probe is out");
    assert!(namespace.settle(Crm, &probe, done()).await);
    assert!(!namespace.is_paused(Vendor::Crm).await);
    for lease in namespace.claim(Crm).await {
        assert_eq!((lease.attempts, lease.deferrals), (0, 0));
    }
}

#[tokio::test]
async fn each_eighth_success_after_a_pause_takes_a_step_of_the_next_one_back() {
    let redis = Redis::start().await;
    let mut namespace = with_changes(&redis, 200).await;
    let first = namespace.claim_as(Crm, "worker", 1).await.leases.remove(0);
    assert!(namespace.settle(Crm, &first, throttled()).await);
    for _ in 0..4 {
        namespace.gates_time_has_come(Vendor::Crm).await;
        let probe = namespace.claim_one(Crm).await;
        assert!(namespace.settle(Crm, &probe, deferred(1)).await);
        namespace.age("due:crm").await;
    }
    // Five times in a row: the next pause would be of 32 s.
    namespace.gates_time_has_come(Vendor::Crm).await;
    let mut accepted = 0;
    while accepted < 23 {
        for lease in namespace.claim(Crm).await.into_iter().take(23 - accepted) {
            accepted += 1;
            assert!(namespace.settle(Crm, &lease, done()).await);
        }
        namespace.age("lease:crm").await;
    }
    let one = namespace.claim_as(Crm, "worker", 1).await.leases.remove(0);
    assert!(namespace.settle(Crm, &one, throttled()).await);
    let status = namespace.queue.status().await.unwrap();
    let left = status.pauses[&Vendor::Crm].seconds_left.unwrap();
    assert_eq!(left.ceil(), 4.0, "three steps are taken back");
}

/// One call that pauses a destination, for as long as the gate chooses.
fn throttled() -> Transition {
    Transition::Pause {
        delay: None,
        reason: PauseReason::Throttled,
        cause: "HTTP 429".to_owned(),
    }
}
