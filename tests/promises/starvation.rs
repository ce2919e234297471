//! Nobody waits for ever behind others: neither behind dead letters, nor behind a person with many changes, nor
//! behind retries.

use std::time::Duration;

use harness::namespace::tester;
use harness::{
    namespace::{Namespace, done, retry},
    redis::Redis,
    relay::Relay,
    rows::{campus_now, change},
    vendors::{every_promise_held, vendors_with},
    waiting::until_true,
};
use jiff::{ToSpan, civil::DateTime};
use jobs::destination::{
    Destination::{self, Crm},
    Vendor,
};
use queue::settlement::Settlement;
use redis::{AsyncTypedCommands, aio::MultiplexedConnection};
use sandbox::{NewChanges, Sandbox, SandboxOptions};
use serde_json::json;

/// `changedSinceDate` answers so many rows at the most.
const CAP: usize = 500;

/// Campus-local, so many days ago.
fn day(days_ago: i64, hour: i8) -> DateTime {
    let day = campus_now().date().checked_sub(days_ago.days()).unwrap();
    day.at(hour, 0, 0, 0)
}

/// `undecodable` rows, and `unmatched` changes of people whom neither destination knows.
fn add_dead(sandbox: &Sandbox, at: DateTime, undecodable: usize, unmatched: usize) {
    let rows = (0..undecodable).map(|n| {
        let id = format!("broken-{}-{n}", at.date());
        json!({ "changeId": id, "xid": { "n": n }, "changedOn": at.to_string() })
    });
    sandbox.add_changes(&NewChanges {
        rows: rows.collect(),
        ..NewChanges::default()
    });
    let strangers = 10;
    for stranger in 0..strangers {
        sandbox.add_changes(&NewChanges {
            count: unmatched / strangers,
            xid: Some(format!("stranger-{stranger}")),
            changed_on: Some(at),
            ..NewChanges::default()
        });
    }
}

/// Polls, before each of which good changes came `days` ago, that day's dead before them; all good ones come
/// through. Later polls have later days: an older change would be stale.
async fn good_ones_come_through(sandbox: &Sandbox, dead: usize, days: [i64; 3]) {
    let redis = Redis::start().await;
    let relay = Relay::new(sandbox, Some(&redis)).set("acknowledge.max_wait", "0s");
    let mut good = 0;
    for (poll, days_ago) in (1..).zip(days) {
        let added = sandbox.add_changes(&NewChanges {
            count: 30,
            changed_on: Some(day(days_ago, 15)),
            ..NewChanges::default()
        });
        good += added.len();
        relay.run(&["sync", "--wait", "--json"]).await;
        let report = sandbox.report();
        assert_eq!(report.acknowledged, good, "poll {poll}");
        assert_eq!(report.unprocessed, dead, "poll {poll}");
        let fetches = &report.traffic.batches[&sandbox::Vendor::Alumniq]["fetch"];
        assert_eq!(fetches[&CAP], poll, "each poll was capped");
    }
    let dead_ids = relay.dead_ids().await;
    assert_eq!(dead_ids.len(), dead);
    every_promise_held(&sandbox.report(), &[], &dead_ids);
}

/// No change yet, people whom both destinations know, and polls that look a week back.
async fn people() -> Sandbox {
    vendors_with(SandboxOptions {
        changes: 0,
        people: 60,
        ..SandboxOptions::default()
    })
    .await
}

#[tokio::test]
async fn six_hundred_dead_letters_of_one_day_do_not_hide_the_601st_change() {
    let sandbox = people().await;
    add_dead(&sandbox, day(1, 9), 320, 300);
    good_ones_come_through(&sandbox, 620, [1, 1, 1]).await;
}

#[tokio::test]
async fn dead_letters_all_over_the_look_back_hide_nothing_however_often_is_polled() {
    let sandbox = people().await;
    for days_ago in 1..=7 {
        add_dead(&sandbox, day(days_ago, 9), 50, 40);
    }
    good_ones_come_through(&sandbox, 7 * 90, [7, 4, 1]).await;
}

/// How many commands Redis has run, those of scripts included.
async fn commands(connection: &mut MultiplexedConnection) -> u64 {
    let info: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(connection)
        .await
        .unwrap();
    let calls = info.lines().filter_map(|line| {
        let (_, calls) = line.split_once("calls=")?;
        calls.split(',').next()?.parse::<u64>().ok()
    });
    calls.sum()
}

#[tokio::test]
async fn a_hundred_thousand_changes_of_one_person_keep_nobody_waiting_and_cost_no_more_each() {
    const MANY: usize = 100_000;
    const BLOCK: usize = 1_000;
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let mut enqueues = Vec::new();
    let mut applications = Vec::new();
    for block in 0..MANY / BLOCK {
        let ids = block * BLOCK..(block + 1) * BLOCK;
        let changes = ids.map(|n| change(&n.to_string(), Some("one"), n as i64));
        let before = commands(&mut namespace.connection).await;
        namespace.enqueue(changes.collect()).await;
        enqueues.push(commands(&mut namespace.connection).await - before);
        applications.push(apply_one(&mut namespace).await.1);
    }
    // The first ones bring Redis the scripts. The call that opens a new bucket of the rates has a few commands more.
    for (what, counts) in [("block", enqueues), ("change", applications)] {
        // So is what it takes to find that this is not the usual case, which is tried at times.
        let (early, late) = (counts[1], counts[MANY / BLOCK - 1]);
        assert!(
            early.abs_diff(late) <= 16,
            "commands of a {what}: {early}, then {late}"
        );
    }

    let others = (0..100).map(|n| change(&format!("other-{n}"), Some(&format!("{n}")), 0));
    namespace.enqueue(others.collect()).await;
    let mut waiting = 100;
    for _ in 0..=100 {
        waiting -= usize::from(apply_one(&mut namespace).await.0 != "x:one");
    }
    assert_eq!(waiting, 0, "people still wait");
}

/// Claims and applies the next change: its lane, and how many commands Redis ran for it.
async fn apply_one(namespace: &mut Namespace) -> (String, u64) {
    let before = commands(&mut namespace.connection).await;
    let lease = namespace.claim_as(Crm, "worker", 1).await.leases.remove(0);
    assert!(namespace.settle(Crm, &lease, done()).await);
    let after = commands(&mut namespace.connection).await;
    (lease.lane, after - before)
}

#[tokio::test]
async fn five_thousand_changes_of_one_person_do_not_keep_two_hundred_others_waiting() {
    const MANY: usize = 5_000;
    const OTHERS: usize = 200;
    let sandbox = vendors_with(SandboxOptions {
        changes: 0,
        people: OTHERS,
        ..SandboxOptions::default()
    })
    .await;
    let add = |count, xid: Option<&str>, at| {
        sandbox.add_changes(&NewChanges {
            count,
            xid: xid.map(str::to_owned),
            changed_on: Some(at),
            ..NewChanges::default()
        })
    };
    let first = add(1, None, day(1, 8)).remove(0);
    let one = sandbox.change(&first).unwrap().xid.unwrap();
    let many = add(MANY - 1, Some(&one), day(1, 9));
    let others = add(OTHERS, None, day(1, 15));
    let others: Vec<_> = others
        .into_iter()
        .filter(|id| sandbox.change(id).unwrap().xid.as_deref() != Some(&one))
        .collect();

    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("acknowledge.max_wait", "0s");
    // Everything is queued before anything is applied.
    for destination in ["crm", "salsa"] {
        relay.run(&["pause", destination]).await.expect(0);
    }
    relay.run(&["sync"]).await.expect(0);
    for destination in ["crm", "salsa"] {
        relay.run(&["resume", destination]).await.expect(0);
    }
    let service = relay.start("crm,salsa,acknowledger").await;
    until_true("all others are acknowledged", async || {
        let mut others = others.iter();
        others.all(|id| sandbox.change(id).unwrap().acknowledged.is_some())
    })
    .await;
    let applied = |id: &String| !sandbox.change(id).unwrap().crm.is_empty();
    let ahead = many.iter().filter(|id| applied(id)).count();
    println!("{ahead} of {MANY} changes of one person were applied meanwhile");
    assert!(ahead < MANY / 5, "{ahead} changes of one person went first");
    let letters = relay.dead_ids().await;
    assert_eq!(letters, Vec::<String>::new());
    service.stop().await;
}

#[tokio::test]
async fn twenty_thousand_retries_due_at_once_are_moved_in_steps_and_keep_no_claim_empty_and_no_newcomer_waiting()
 {
    const MANY: usize = 20_000;
    const MOST: usize = 100;
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let changes = (0..MANY).map(|n| change(&n.to_string(), Some(&n.to_string()), 0));
    namespace.enqueue(changes.collect()).await;
    loop {
        let leases = namespace.claim_as(Crm, "worker", 1_000).await.leases;
        if leases.is_empty() {
            break;
        }
        // A few calls: the gate would take many failures for an outage.
        let settlements: Vec<Settlement> = leases
            .iter()
            .map(|lease| Settlement {
                lane: lease.lane.clone(),
                token: lease.token,
                call: leases[0].token,
                transition: retry(1),
                took: Duration::ZERO,
                sent: None,
            })
            .collect();
        namespace
            .queue
            .settle(Crm, "worker", &settlements)
            .await
            .unwrap();
        namespace
            .queue
            .resume(Vendor::Crm, &tester())
            .await
            .unwrap();
    }
    // Whose oldest change waits for its retry holds nobody else up.
    namespace
        .enqueue(vec![change("fresh", Some("fresh"), 0)])
        .await;
    let fresh = namespace.claim_one(Crm).await;
    assert_eq!(fresh.change_id, "fresh");
    assert!(namespace.settle(Crm, &fresh, done()).await);

    namespace.age("due:crm").await;
    let due = namespace.key("due:crm");
    let (mut claimed, mut left) = (0, MANY);
    while claimed < MANY {
        if claimed == MOST {
            namespace
                .enqueue(vec![change("late", Some("late"), 0)])
                .await;
        }
        let leases = namespace.claim_as(Crm, "worker", MOST).await.leases;
        assert!(!leases.is_empty(), "an empty claim after {claimed}");
        let now_left = namespace.connection.zcard(&due).await.unwrap();
        assert!(
            left - now_left <= 500,
            "{} moved in one call",
            left - now_left
        );
        left = now_left;
        if leases.iter().any(|lease| lease.change_id == "late") {
            assert!(claimed <= 5 * MOST, "it waited for {claimed} retries");
            claimed -= 1;
        }
        claimed += leases.len();
    }
    let status = namespace.queue.status().await.unwrap();
    assert_eq!(
        status.destinations[&Destination::Crm].running as usize,
        MANY + 1
    );
}
