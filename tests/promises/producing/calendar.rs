//! The campus's calendar by Redis' clock, and processes whose own clocks are wrong.

use harness::{
    redis::Redis,
    relay::Relay,
    service::Service,
    vendors::{acknowledged, every_promise_held, vendors, vendors_with},
    waiting::until_true,
};
use jiff::{SignedDuration, Timestamp, civil::date};
use sandbox::{NewChanges, Sandbox, SandboxOptions};
use serde_json::Value;

use super::{EVERYTHING, fetched, gets, hold_back, let_through, remember, swept};

fn ms(utc: &str) -> u64 {
    utc.parse::<Timestamp>().unwrap().as_millisecond() as u64
}

fn add(sandbox: &Sandbox, changed_on: &str) {
    sandbox.add_changes(&NewChanges {
        count: 1,
        changed_on: Some(changed_on.parse().unwrap()),
        ..NewChanges::default()
    });
}

/// When `service` thinks that it said its first word.
fn clock_of(service: &Service) -> Timestamp {
    let log = service.log();
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    first["timestamp"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn changes_on_both_sides_of_a_leap_days_midnight_are_fetched() {
    // More than the cap, so that days are asked for one by one.
    const CHANGES: usize = 620;
    let sandbox = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: 200,
        until: Some(date(2024, 2, 29)),
        ..SandboxOptions::default()
    })
    .await;
    // 23:59:48 in New York.
    let redis = Redis::start_at("2024-03-01 04:59:48").await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.poll", "every 10s");
    hold_back(&relay).await;
    let service = relay.start(EVERYTHING).await;
    swept(&redis).await;
    assert_eq!(fetched(&relay).await, CHANGES);
    add(&sandbox, "2024-02-29T23:59:59");
    add(&sandbox, "2024-03-01T00:00:00");
    until_true("both are fetched", async || {
        fetched(&relay).await == CHANGES + 2
    })
    .await;
    let now = redis
        .queue_with("sandbox", |_| {})
        .await
        .now()
        .await
        .unwrap();
    assert!(
        now >= ms("2024-03-01T05:00:00Z"),
        "Redis' clock is at {now}"
    );
    let_through(&relay).await;
    acknowledged(&sandbox, CHANGES + 2).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    service.stop().await;
}

#[tokio::test]
async fn a_daily_fetch_at_a_time_that_the_day_lacks_is_made_when_the_clocks_have_gone_forward() {
    const CHANGES: usize = 60;
    let sandbox = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: 25,
        until: Some(date(2026, 3, 8)),
        ..SandboxOptions::default()
    })
    .await;
    // 03:29:55 in New York, where 03:00 came after 01:59.
    let redis = Redis::start_at("2026-03-08 07:29:55").await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.poll", "daily 02:30");
    remember(&redis, "last_started", ms("2026-03-07T07:30:00Z")).await;
    let service = relay.start(EVERYTHING).await;
    let began = swept(&redis).await;
    assert!(began >= ms("2026-03-08T07:30:00Z"), "it began at {began}");
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    assert_eq!(gets(&sandbox), 1);
    service.stop().await;
}

#[tokio::test]
async fn processes_whose_clocks_are_an_hour_off_work_like_any_other() {
    const CHANGES: usize = 300;
    let sandbox = vendors(CHANGES, 100).await;
    let redis = Redis::start().await;
    let mut fleet = Vec::new();
    for off in [3_600, -3_600] {
        // Longer than a test and shorter than what the clocks are off.
        let relay = Relay::new(&sandbox, Some(&redis))
            .set("worker.lease", "300s")
            .set("alumniq.poll", "every 10s")
            .with_clock(off);
        let service = relay.start(EVERYTHING).await;
        let shown = clock_of(&service).duration_since(Timestamp::now());
        let wrong = shown - SignedDuration::from_secs(off);
        assert!(
            wrong.abs() < SignedDuration::from_mins(30),
            "its clock is {shown} off"
        );
        fleet.push((relay, service));
    }
    acknowledged(&sandbox, CHANGES).await;
    let report = sandbox.report();
    every_promise_held(&report, &[], &[]);
    assert_eq!(report.repeats, []);
    let status = fleet[0].0.status().await;
    assert_eq!(status["refused_settles"], 0, "{status}");
    assert_eq!(status["books"]["acknowledged"], CHANGES);
    assert_eq!(status["workers"].as_object().unwrap().len(), 2, "{status}");
    for (_, service) in fleet {
        service.stop().await;
    }
}
