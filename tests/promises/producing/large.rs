//! Answers that are too long for the memory: they are sorted on disk, and everything is as with short ones.

use std::sync::Arc;

use harness::{
    proxy::{Proxy, Server},
    redis::Redis,
    relay::Relay,
    rows::campus_now,
    vendors::{acknowledged, every_promise_held, vendors_with},
    waiting::until_true,
};
use jiff::ToSpan;
use sandbox::{
    Fault, Faults, NewChanges, SANDBOX_API_KEY, Sandbox, SandboxOptions, Vendor, VendorFaults,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::{Semaphore, watch},
};

use super::{
    EVERYTHING, fetched, fetching_once, hold_back, let_through, logged, remembered, swept,
};

/// Fewer than the cap, of so few people that each has some at both ends of the answer.
const CHANGES: usize = 450;
const PEOPLE: usize = 40;

/// What nothing maps and is kept all the same: together far more than is sorted in memory.
const NOTES: usize = 24_000;

/// Vendors with rows that long, in no order.
async fn vendors_with_long_rows() -> Sandbox {
    let short = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: PEOPLE,
        days: 1,
        until: Some(campus_now().date().checked_sub(2.days()).unwrap()),
        ..SandboxOptions::default()
    })
    .await;
    let mut rows: Vec<Value> = serde_json::from_str(&listed(&short).await).unwrap();
    assert_eq!(rows.len(), CHANGES);
    for row in &mut rows {
        row["notes"] = json!("n".repeat(NOTES));
    }
    // The same people.
    let sandbox = vendors_with(SandboxOptions {
        changes: 0,
        people: PEOPLE,
        ..SandboxOptions::default()
    })
    .await;
    sandbox.add_changes(&NewChanges {
        rows,
        ..NewChanges::default()
    });
    sandbox
}

/// What AlumnIQ answers when it is asked for everything.
async fn listed(sandbox: &Sandbox) -> String {
    // The client wants one although nothing here is encrypted; a second installation is refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!(
        "http://{}/api/v1/index.cfm/sync/address-change/work?apikey={SANDBOX_API_KEY}&changedSinceDate=2000-01-01",
        sandbox.addr()
    );
    let answer = reqwest::get(url).await.unwrap();
    answer.text().await.unwrap()
}

/// An AlumnIQ that stops in the middle of its answer until it is told to go on.
struct Halting {
    url: String,
    halves: watch::Receiver<usize>,
    go_on: Arc<Semaphore>,
}

impl Halting {
    async fn answering(body: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1/index.cfm", listener.local_addr().unwrap());
        let (half, halves) = watch::channel(0);
        let go_on = Arc::new(Semaphore::new(0));
        let (half, body, may_go_on) = (Arc::new(half), Arc::new(body), Arc::clone(&go_on));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (half, body, go_on) =
                    (Arc::clone(&half), Arc::clone(&body), Arc::clone(&may_go_on));
                tokio::spawn(async move {
                    let (mut stream, mut line) = (BufReader::new(stream), String::new());
                    while stream.read_line(&mut line).await.unwrap_or(0) > 2 {}
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    let (first, second) = body.as_bytes().split_at(body.len() / 2);
                    let _ = stream.write_all(&[head.as_bytes(), first].concat()).await;
                    half.send_modify(|halves| *halves += 1);
                    let _ = go_on.acquire().await;
                    let _ = stream.write_all(second).await;
                });
            }
        });
        Self { url, halves, go_on }
    }

    /// Half of the answer is on its way.
    async fn is_halfway(&mut self) {
        self.halves.wait_for(|halves| *halves > 0).await.unwrap();
    }

    fn go_on(&self) {
        self.go_on.add_permits(1);
    }
}

/// Everything was applied once and in order, and AlumnIQ was told.
async fn everything_arrived(sandbox: &Sandbox, relay: &Relay) {
    acknowledged(sandbox, CHANGES).await;
    let report = sandbox.report();
    every_promise_held(&report, &[], &[]);
    assert_eq!(report.repeats, []);
    assert_eq!(
        report.traffic.calls_of(Vendor::Crm, "update"),
        CHANGES as u64
    );
    assert_eq!(
        relay.dead_ids().await,
        Vec::<String>::new(),
        "none is stale"
    );
}

#[tokio::test]
async fn a_persons_changes_all_over_a_long_answer_are_applied_oldest_first() {
    let sandbox = vendors_with_long_rows().await;
    let redis = Redis::start().await;
    let relay = fetching_once(&sandbox, &redis);
    let synced = relay.run(&["sync", "--wait", "--json"]).await.expect(0);
    assert_eq!(synced.json()["acknowledged"], CHANGES);
    everything_arrived(&sandbox, &relay).await;
}

#[tokio::test]
async fn a_long_answer_that_alumniq_marks_is_taken_in_whole_and_in_order() {
    let sandbox = vendors_with_long_rows().await;
    let redis = Redis::start().await;
    let relay = fetching_once(&sandbox, &redis).set("alumniq.acknowledge", "on_fetch");
    relay.run(&["sync", "--wait"]).await.expect(0);
    let report = sandbox.report();
    assert_eq!(report.marked_on_fetch, CHANGES);
    assert!(report.applied.values().all(|applied| *applied == CHANGES));
    every_promise_held(&report, &[], &[]);
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_leader_that_is_killed_in_the_middle_of_a_long_answer_has_taken_nothing_in() {
    let sandbox = vendors_with_long_rows().await;
    let redis = Redis::start().await;
    let mut halting = Halting::answering(listed(&sandbox).await).await;
    let first = fetching_once(&sandbox, &redis)
        .set("alumniq.url", &halting.url)
        .set("worker.lease", "2s");
    let service = first.start("producer").await;
    halting.is_halfway().await;
    let relay = fetching_once(&sandbox, &redis);
    assert_eq!(fetched(&relay).await, 0);
    service.kill9().await;
    let second = relay.start(EVERYTHING).await;
    everything_arrived(&sandbox, &relay).await;
    second.stop().await;
}

#[tokio::test]
async fn a_leader_that_is_killed_while_a_long_answer_is_half_taken_in_has_taken_in_the_oldest() {
    let sandbox = vendors_with_long_rows().await;
    let redis = Redis::start().await;
    // Room for some of it.
    redis
        .command(&format!("CONFIG SET maxmemory {}", (CHANGES / 2) * NOTES))
        .await;
    let relay = fetching_once(&sandbox, &redis).set("worker.lease", "2s");
    let first = relay.start("producer").await;
    until_true("Redis is full", async || {
        let error = remembered(&redis, "error").await;
        error.is_some_and(|error| error.contains("full"))
    })
    .await;
    let before = fetched(&relay).await.as_u64().unwrap();
    assert!((1..CHANGES as u64).contains(&before), "{before}");
    first.kill9().await;
    redis.command("CONFIG SET maxmemory 0").await;
    let second = relay.start(EVERYTHING).await;
    everything_arrived(&sandbox, &relay).await;
    second.stop().await;
}

#[tokio::test]
async fn a_long_answer_that_breaks_off_has_changed_nothing_and_is_asked_for_again() {
    let sandbox = vendors_with_long_rows().await;
    let redis = Redis::start().await;
    let relay = fetching_once(&sandbox, &redis);
    sandbox.set_faults(Faults {
        alumniq: VendorFaults {
            operations: vec!["fetch".to_owned()],
            next: vec![Fault::Truncate, Fault::Truncate],
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let synced = relay.run(&["sync", "--wait", "--json"]).await.expect(0);
    let synced = synced.json();
    assert_eq!(
        (&synced["enqueued"], &synced["duplicates"]),
        (&json!(CHANGES), &json!(0))
    );
    everything_arrived(&sandbox, &relay).await;
}

#[tokio::test]
async fn a_long_answer_that_is_whole_and_no_whole_json_is_an_error_and_changes_nothing() {
    let sandbox = vendors_with_long_rows().await;
    let redis = Redis::start().await;
    let mut body = listed(&sandbox).await;
    body.truncate(body.len() - 10_000);
    let halting = Halting::answering(body).await;
    halting.go_on();
    let relay = fetching_once(&sandbox, &redis).set("alumniq.url", &halting.url);
    let synced = relay.run(&["sync"]).await.expect(1);
    assert!(
        synced.said().contains("JSON that breaks off after"),
        "{}",
        synced.stderr
    );
    assert_eq!(fetched(&relay).await, 0);
}

#[tokio::test]
async fn a_leader_that_is_replaced_in_the_middle_of_a_long_answer_takes_nothing_in() {
    let sandbox = vendors_with_long_rows().await;
    let redis = Redis::start().await;
    let to_redis = Proxy::to(Server::Socket(redis.socket())).await;
    let mut halting = Halting::answering(listed(&sandbox).await).await;
    let deposed = fetching_once(&sandbox, &redis)
        .set("alumniq.url", &halting.url)
        .set("redis.url", &format!("redis://{}", to_redis.address()))
        .set("worker.lease", "2s");
    let first = deposed.start("producer").await;
    halting.is_halfway().await;
    first.signal("STOP");
    let relay = fetching_once(&sandbox, &redis);
    hold_back(&relay).await;
    let second = relay.start(EVERYTHING).await;
    swept(&redis).await;
    assert_eq!(fetched(&relay).await, CHANGES);
    halting.go_on();
    first.signal("CONT");
    logged(&first, "another process leads now").await;
    let_through(&relay).await;
    everything_arrived(&sandbox, &relay).await;
    let (_, metrics) = first.get("/metrics").await;
    let took = metrics.lines().any(|line| {
        line.starts_with("alumniq_relay_changes_fetched_total") && !line.ends_with(" 0")
    });
    assert!(!took, "{metrics}");
    first.stop().await;
    second.stop().await;
}

/// What a producer needs at the most that takes in an answer with rows of so many bytes.
async fn memory_for(bytes: usize) -> usize {
    let sandbox = vendors_with(SandboxOptions {
        changes: 0,
        people: 1,
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    let notes = "n".repeat(bytes);
    let row = |n: usize| json!({ "changeId": n, "xid": (n % 97).to_string(), "changedOn": "2026-01-05 12:00:00", "notes": notes });
    let rows: Vec<String> = (0..CHANGES).map(|n| row(n).to_string()).collect();
    let halting = Halting::answering(format!("[{}]", rows.join(","))).await;
    halting.go_on();
    let relay = fetching_once(&sandbox, &redis).set("alumniq.url", &halting.url);
    let service = relay.start("producer").await;
    swept(&redis).await;
    assert_eq!(fetched(&relay).await, CHANGES);
    let peak = service.peak_memory().unwrap();
    service.stop().await;
    peak
}

#[tokio::test]
async fn a_long_answer_takes_hardly_more_memory_than_a_short_one() {
    // 7 MB against 27 MB.
    let (short, long) = (memory_for(15_000).await, memory_for(60_000).await);
    let more = long.saturating_sub(short);
    assert!(more < 16 << 20, "{short} bytes, and {more} more");
}
