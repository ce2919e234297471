//! Salsa's limits are shared by the fleet, used up, never exceeded, and followed when they change; and neither
//! destination takes the other's share.

use std::time::{Duration, Instant};

use harness::{
    namespace::EARLY,
    redis::Redis,
    relay::Relay,
    service::Service,
    vendors::{acknowledged, every_promise_held, salsa_calls, vendors, vendors_with},
    waiting::until_true,
};
use jobs::{destination::Destination, order::order_key};
use queue::{QueueSettings, intake::NewChange};
use redis::AsyncTypedCommands;
use sandbox::{Faults, Limits, NewChanges, Report, Sandbox, SandboxOptions, Vendor, VendorFaults};
use serde_json::{Value, json, value::to_raw_value};

/// `salsa.concurrency`
const CONCURRENCY: u64 = 4;

/// Vendors of which only Salsa is used, and takes `rate` calls a minute (0 = any) of `batch` changes.
async fn salsa_alone(changes: usize, rate: usize, batch: usize) -> Sandbox {
    let sandbox = vendors_with(SandboxOptions {
        changes,
        people: changes,
        destinations: vec![Destination::Salsa],
        ..SandboxOptions::default()
    })
    .await;
    set_limits(&sandbox, rate, batch);
    sandbox
}

fn set_limits(sandbox: &Sandbox, rate_per_minute: usize, max_batch: usize) {
    sandbox.set_limits(Limits {
        rate_per_minute,
        max_batch,
        ..sandbox.limits()
    });
}

/// A relay without a rate of its own, in a namespace of its own.
fn relay(sandbox: &Sandbox, redis: &Redis, namespace: &str) -> Relay {
    Relay::new(sandbox, Some(redis))
        .set("namespace", namespace)
        .set("crm.enabled", "false")
        .set("salsa.concurrency", &CONCURRENCY.to_string())
        .without("ALUMNIQ_RELAY__SALSA__RATE_PER_MINUTE")
}

async fn start(relay: &Relay, processes: usize) -> Vec<Service> {
    let mut fleet = Vec::new();
    for _ in 0..processes {
        fleet.push(relay.start("producer,salsa,acknowledger").await);
    }
    fleet
}

/// A minute has passed since Salsa said its limits.
async fn limits_were_told_long_ago(redis: &Redis, namespace: &str) {
    let limits = format!("{{{namespace}}}:limits:salsa");
    let mut connection = redis.connect().await;
    connection.hdel(limits, "at").await.unwrap();
}

fn all_calls(report: &Report) -> u64 {
    salsa_calls(report) + report.traffic.calls_of(Vendor::Salsa, "metrics")
}

/// For two of Salsa's minutes `processes` have more to do than Salsa admits; so many are killed in the first.
async fn uses_what_salsa_admits(redis: &Redis, processes: usize, killed: usize) {
    const RATE: f64 = 300.0;
    let sandbox = salsa_alone(900, RATE as usize, 1).await;
    // How long the place of a call is held whose process has died.
    let relay = relay(&sandbox, redis, &format!("of-{processes}")).set("salsa.timeout", "10s");
    let mut fleet = start(&relay, processes).await;
    let calls = || all_calls(&sandbox.report());
    until_true("changes are applied", async || {
        salsa_calls(&sandbox.report()) > 0
    })
    .await;
    let started = Instant::now();
    until_true("it is at work", async || calls() > 100).await;
    for service in fleet.drain(..killed) {
        service.kill9().await;
    }
    // Each minute is filled, and the third has begun by the time in which two minutes' calls are 98 percent.
    for (seconds, minutes) in [(58.0, 1.0), (118.0, 2.0), (120.0 / 0.98, 2.0 / 0.98)] {
        let at = started + Duration::from_secs_f64(seconds);
        tokio::time::sleep_until(at.into()).await;
        let (made, wanted) = (calls() as f64, 0.98 * RATE * minutes);
        println!("{processes} processes: {made} calls in {seconds:.1} s");
        assert!(
            made >= wanted,
            "{made} calls in {seconds} s, {wanted} are 98 percent"
        );
    }
    let report = sandbox.report();
    assert_eq!(report.traffic.throttled, 0);
    let questions = report.traffic.calls_of(Vendor::Salsa, "metrics");
    assert!(questions <= 4, "{questions} questions for the limits");
    for service in fleet {
        service.stop().await;
    }
}

/// Salsa admits less from now on, and more later.
async fn follows_what_salsa_admits(redis: &Redis) {
    let sandbox = salsa_alone(900, 300, 1).await;
    let relay = relay(&sandbox, redis, "changed");
    let fleet = start(&relay, 2).await;
    let calls = || all_calls(&sandbox.report());
    let throttled = || sandbox.report().traffic.throttled;
    until_true("150 calls are made", async || calls() >= 150).await;
    assert_eq!(throttled(), 0);

    set_limits(&sandbox, 120, 1);
    until_true("Salsa refuses a call", async || throttled() > 0).await;
    until_true("the fleet goes on within the new limit", async || {
        let limits = "{changed}:limits:salsa";
        let mut connection = redis.connect().await;
        connection.hget(limits, "rate").await.unwrap().as_deref() == Some("120")
    })
    .await;
    let before = calls();
    until_true("the new limit is used", async || calls() >= before + 100).await;
    // No process can know before it is refused: a call at every place, and the next ones that were claimed
    // before the word reached Redis. The question after the pause is admitted.
    let refused = throttled();
    println!("{refused} calls were refused when the limit was lowered");
    assert!(refused <= 2 * CONCURRENCY, "{refused} calls were refused");

    set_limits(&sandbox, 600, 1);
    limits_were_told_long_ago(redis, "changed").await;
    let before = calls();
    // At 120 a minute it would take longer than anybody waits.
    until_true("the new limit is used at once", async || {
        calls() >= before + 400
    })
    .await;
    assert_eq!(throttled(), refused, "more is admitted, nothing is refused");
    for service in fleet {
        service.stop().await;
    }
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
}

/// Two of Salsa's minutes long, for everything at once: its minute is a minute.
#[tokio::test]
async fn a_fleet_uses_98_percent_of_what_salsa_admits_is_never_throttled_and_follows_a_new_limit() {
    let redis = Redis::start().await;
    tokio::join!(
        uses_what_salsa_admits(&redis, 1, 0),
        uses_what_salsa_admits(&redis, 4, 2),
        follows_what_salsa_admits(&redis),
    );
}

#[tokio::test]
async fn a_batch_size_that_changes_is_followed_and_costs_no_change_anything() {
    const CHANGES: usize = 1_500;
    let sandbox = salsa_alone(CHANGES, 0, 20).await;
    sandbox.set_faults(Faults {
        salsa: VendorFaults {
            latency_ms: 50,
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = relay(&sandbox, &redis, "batches");
    let fleet = start(&relay, 2).await;
    let applied = async |count: usize| {
        let what = format!("{count} changes are applied");
        until_true(&what, async || {
            sandbox.report().applied[&Destination::Salsa] >= count
        })
        .await;
    };
    let puts_of_more_than_five = || {
        let batches = &sandbox.report().traffic.batches[&Vendor::Salsa]["put"];
        batches.range(6..).map(|(_, calls)| calls).sum::<u64>()
    };
    applied(100).await;
    set_limits(&sandbox, 0, 5);
    applied(500).await;
    let (large, refused) = (puts_of_more_than_five(), sandbox.report().traffic.oversized);
    applied(700).await;
    assert_eq!(
        puts_of_more_than_five(),
        large,
        "all know the smaller batch"
    );
    // What was on its way at each process; a batch that was claimed before is split unasked.
    assert!(refused > 0, "the smaller batch was never met");
    assert!(refused <= 2 * CONCURRENCY, "{refused} calls were too large");

    set_limits(&sandbox, 0, 20);
    limits_were_told_long_ago(&redis, "batches").await;
    acknowledged(&sandbox, CHANGES).await;
    assert!(
        puts_of_more_than_five() > large,
        "all know the larger batch"
    );
    let report = sandbox.report();
    every_promise_held(&report, &[], &[]);
    assert_eq!(report.traffic.oversized, refused);
    assert_eq!(report.repeats, []);
    for service in fleet {
        let (_, metrics) = service.get("/metrics").await;
        let retries = metrics
            .lines()
            .filter(|line| line.contains("jobs_total") && line.contains(r#"outcome="retry""#));
        assert!(
            retries.clone().all(|line| line.ends_with(" 0")),
            "{metrics}"
        );
        service.stop().await;
    }
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
}

#[tokio::test]
async fn commands_by_hand_are_booked_in_the_fleets_limit_and_work_without_a_redis() {
    let sandbox = salsa_alone(1, 0, 20).await;
    let redis = Redis::start().await;
    let search = ["supporter", "search", "--external-id", "nobody", "--json"];
    let with_redis = relay(&sandbox, &redis, "by-hand");
    let found = with_redis.run(&search).await.expect(0);
    assert_eq!(found.json()["not_found"], json!(["nobody"]));
    assert_eq!(found.stderr, "");
    let mut connection = redis.connect().await;
    let booked = connection.zcard("{by-hand}:places:salsa").await.unwrap();
    assert_eq!(booked as u64, all_calls(&sandbox.report()));

    let nowhere = with_redis.path("nowhere.sock");
    let url = format!("redis+unix://{}", nowhere.display());
    for without_redis in [
        with_redis.set("redis.url", &url),
        Relay::new(&sandbox, None),
    ] {
        let found = without_redis.run(&search).await.expect(0);
        assert_eq!(found.json()["not_found"], json!(["nobody"]));
        let told = found.stderr.matches("no Redis answers").count();
        assert_eq!(told, 1, "{}", found.stderr);
        assert_eq!(without_redis.embedded_servers(), Vec::<u32>::new());
    }
}

/// So many changes are ready for one destination alone.
const FLOOD: usize = 50_000;

/// So many for the other one.
const SHARE: usize = 300;

/// A row as it enters the queue.
fn arrival(id: &str, xid: &str, row: &Value) -> NewChange {
    NewChange {
        change_id: id.to_owned(),
        xid: Some(xid.to_owned()),
        order: order_key(None, id),
        row: to_raw_value(row).unwrap(),
        letter: None,
        replaces: None,
        listed: None,
    }
}

/// `flooded` has calls without end before it; the other destination's changes, which stand in AlumnIQ's feed,
/// come after. Each of the flood's people is unknown, which takes a call to learn.
async fn a_flood_at(flooded: Destination, other: Destination) {
    let sandbox = vendors_with(SandboxOptions {
        changes: 0,
        people: SHARE,
        destinations: vec![other],
        ..SandboxOptions::default()
    })
    .await;
    let ids = sandbox.add_changes(&NewChanges {
        count: SHARE,
        ..NewChanges::default()
    });
    let redis = Redis::start().await;
    let queue_of = async |destination| {
        let only = |settings: &mut QueueSettings| settings.destinations = vec![destination];
        redis.queue_with("sandbox", only).await
    };
    let known = sandbox.change(&ids[0]).unwrap().row;
    let flood = (0..FLOOD).map(|n| {
        let (id, xid) = (format!("{}", 5_000_000 + n), format!("flood-{n}"));
        let mut row = known.clone();
        row["changeId"] = json!(id);
        row["xid"] = json!(xid);
        arrival(&id, &xid, &row)
    });
    let flood = queue_of(flooded)
        .await
        .enqueue(EARLY, &flood.collect::<Vec<_>>())
        .await;
    assert_eq!(flood.unwrap().enqueued as usize, FLOOD);
    // As if it were new: a namespace's changes go to the same destinations otherwise.
    redis.command("HDEL {sandbox}:namespace destinations").await;
    let share = ids.iter().map(|id| {
        let change = sandbox.change(id).unwrap();
        arrival(id, &change.xid.unwrap(), &change.row)
    });
    let share = queue_of(other)
        .await
        .enqueue(EARLY, &share.collect::<Vec<_>>())
        .await;
    assert_eq!(share.unwrap().enqueued as usize, SHARE);
    redis.command("HDEL {sandbox}:namespace destinations").await;

    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.start("crm,salsa,acknowledger").await;
    acknowledged(&sandbox, SHARE).await;
    let status = relay.status().await;
    let left = &status["destinations"][flooded.as_str()];
    let (ready, dead) = (
        left["ready"].as_u64().unwrap(),
        left["dead"].as_u64().unwrap(),
    );
    println!("{SHARE} changes of {other} are acknowledged: {ready} of {FLOOD} wait at {flooded}");
    assert!(
        ready > FLOOD as u64 / 2,
        "it waited for the flood: {status}"
    );
    assert!(dead > 0, "the flood did not move: {status}");
    service.stop().await;
}

#[tokio::test]
async fn a_flood_at_the_crm_keeps_neither_salsas_changes_nor_acknowledgements_waiting() {
    a_flood_at(Destination::Crm, Destination::Salsa).await;
}

#[tokio::test]
async fn a_flood_at_salsa_keeps_neither_the_crms_changes_nor_acknowledgements_waiting() {
    a_flood_at(Destination::Salsa, Destination::Crm).await;
}

#[tokio::test]
async fn a_slow_crm_does_not_keep_salsa_waiting() {
    const CHANGES: usize = 200;
    let sandbox = vendors(CHANGES, 150).await;
    sandbox.set_faults(Faults {
        crm: VendorFaults {
            latency_ms: 5_000,
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.start("producer,crm,salsa,acknowledger").await;
    until_true("Salsa has everything", async || {
        sandbox.report().applied[&Destination::Salsa] == CHANGES
    })
    .await;
    let at_the_crm = sandbox.report().applied[&Destination::Crm];
    assert!(
        at_the_crm < CHANGES / 2,
        "Salsa waited: the CRM has {at_the_crm}"
    );
    sandbox.set_faults(Faults::default());
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    service.stop().await;
}
