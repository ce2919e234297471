//! Leaders that are killed, stopped and cut off in the middle of a fetch.

use std::collections::HashMap;

use harness::{
    proxy::{Proxy, Server},
    redis::Redis,
    relay::Relay,
    service::Service,
    vendors::{acknowledged, every_promise_held, vendors},
    waiting::until_true,
};
use redis::AsyncTypedCommands;
use sandbox::{Sandbox, Vendor};

use super::{EVERYTHING, fetched, fetching_once, gets, hold_back, let_through, logged, swept};

const CHANGES: usize = 200;

const DEPOSED: &str = "another process leads now";

/// Vendors and a Redis, and a first producer whose ways to AlumnIQ and Redis the test can break.
struct Stage {
    sandbox: Sandbox,
    redis: Redis,
    to_alumniq: Proxy,
    to_redis: Proxy,
    on_fetch: bool,
    /// How long the first leads without a word.
    lease: &'static str,
}

impl Stage {
    async fn set(on_fetch: bool) -> Self {
        let sandbox = vendors(CHANGES, 80).await;
        let redis = Redis::start().await;
        Self {
            to_alumniq: Proxy::to(Server::Port(sandbox.addr())).await,
            to_redis: Proxy::to(Server::Socket(redis.socket())).await,
            sandbox,
            redis,
            on_fetch,
            lease: "2s",
        }
    }

    /// How everybody but the first is configured.
    fn relay(&self) -> Relay {
        let relay = fetching_once(&self.sandbox, &self.redis);
        match self.on_fetch {
            // The first day that is asked for has changes.
            true => relay
                .set("alumniq.acknowledge", "on_fetch")
                .set("alumniq.lookback_days", "6"),
            false => relay,
        }
    }

    /// Starts the first producer; its GET has been answered, and the answer is on its way.
    async fn first_in_mid_fetch(&self) -> (Relay, Service) {
        let alumniq = format!("http://{}/api/v1/index.cfm", self.to_alumniq.address());
        let relay = self
            .relay()
            .set("alumniq.url", &alumniq)
            .set("redis.url", &format!("redis://{}", self.to_redis.address()))
            .set("redis.response_timeout", "2s")
            .set("worker.lease", self.lease);
        self.to_alumniq.hold_answers();
        let first = relay.start("producer").await;
        until_true("a GET is under way", async || {
            let report = self.sandbox.report();
            gets(&self.sandbox) == 1 && (!self.on_fetch || report.marked_on_fetch > 0)
        })
        .await;
        (relay, first)
    }

    /// Everything that the fleet remembers of its fetches.
    async fn memory(&self) -> HashMap<String, String> {
        let mut connection = self.redis.connect().await;
        connection.hgetall("{sandbox}:producer").await.unwrap()
    }

    /// Everything arrived, and each change once.
    async fn everything_arrives(&self) {
        if self.on_fetch {
            until_true("everything is applied", async || {
                let report = self.sandbox.report();
                report.applied.values().all(|applied| *applied == CHANGES)
            })
            .await;
            assert_eq!(self.sandbox.report().marked_on_fetch, CHANGES);
        } else {
            acknowledged(&self.sandbox, CHANGES).await;
        }
        let report = self.sandbox.report();
        every_promise_held(&report, &[], &[]);
        assert_eq!(report.repeats, []);
        assert_eq!(
            report.traffic.calls_of(Vendor::Crm, "update"),
            CHANGES as u64
        );
        assert_eq!(self.relay().dead_ids().await, Vec::<String>::new());
    }
}

/// Waits until `service` leads.
async fn leads(relay: &Relay, service: &Service) {
    let named = format!("-{}-", service.pid());
    until_true("it leads", async || {
        let status = relay.status().await;
        let leader = status["producer"]["leader"].as_str().unwrap_or_default();
        leader.contains(&named)
    })
    .await;
}

/// It neither counted nor reported a fetch.
async fn fetched_nothing(service: &Service) {
    let (_, metrics) = service.get("/metrics").await;
    let counted = metrics.lines().filter(|line| {
        line.starts_with("alumniq_relay_changes_fetched_total") && !line.ends_with(" 0")
    });
    assert_eq!(counted.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(!service.log().contains(r#""fetched""#), "{}", service.log());
}

#[tokio::test]
async fn a_leader_that_is_killed_in_mid_fetch_is_replaced_and_everything_arrives() {
    let stage = Stage::set(false).await;
    let (_relay, first) = stage.first_in_mid_fetch().await;
    let relay = stage.relay();
    let second = relay.start(EVERYTHING).await;
    first.kill9().await;
    stage.everything_arrives().await;
    second.stop().await;
}

#[tokio::test]
async fn a_leader_that_slept_through_its_replacement_is_refused_when_it_wakes() {
    let stage = Stage::set(false).await;
    let (_relay, first) = stage.first_in_mid_fetch().await;
    first.signal("STOP");
    let relay = stage.relay();
    let second = relay.start(EVERYTHING).await;
    swept(&stage.redis).await;
    let memory = stage.memory().await;

    // It wakes to an answer from before.
    stage.to_alumniq.mend();
    first.signal("CONT");
    logged(&first, DEPOSED).await;
    stage.everything_arrives().await;
    assert_eq!(
        stage.memory().await,
        memory,
        "it overwrote what the newer leader remembers"
    );
    fetched_nothing(&first).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_leader_that_is_cut_off_from_redis_is_replaced_and_follows_when_it_is_back() {
    let stage = Stage::set(false).await;
    let (_relay, first) = stage.first_in_mid_fetch().await;
    stage.to_redis.cut();
    stage.to_alumniq.mend();
    logged(&first, "Redis does not answer").await;
    let relay = stage.relay();
    let second = relay.start(EVERYTHING).await;
    swept(&stage.redis).await;
    let memory = stage.memory().await;

    stage.to_redis.mend();
    until_true("both are seen again", async || {
        let status = relay.status().await;
        status["workers"].as_object().unwrap().len() == 2
    })
    .await;
    stage.everything_arrives().await;
    assert_eq!(stage.memory().await, memory);
    fetched_nothing(&first).await;
    // Now the other one goes, and nothing is held against the first.
    second.stop().await;
    leads(&relay, &first).await;
    first.stop().await;
}

#[tokio::test]
async fn a_leader_that_redis_hears_and_that_hears_nothing_does_not_keep_the_lead() {
    let mut stage = Stage::set(false).await;
    // Longer than it takes to notice that no answer comes, and to try again.
    stage.lease = "8s";
    let (_relay, first) = stage.first_in_mid_fetch().await;
    stage.to_redis.hold_answers();
    stage.to_alumniq.mend();
    logged(&first, "Redis does not answer").await;
    let relay = stage.relay();
    let second = relay.start(EVERYTHING).await;
    leads(&relay, &second).await;
    stage.to_redis.mend();
    stage.everything_arrives().await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn rows_that_alumniq_has_marked_for_a_deposed_leader_are_still_taken_in() {
    let stage = Stage::set(true).await;
    let relay = stage.relay();
    hold_back(&relay).await;
    let (_relay, first) = stage.first_in_mid_fetch().await;
    first.signal("STOP");
    let second = relay.start(EVERYTHING).await;
    swept(&stage.redis).await;
    let memory = stage.memory().await;
    assert_eq!(stage.sandbox.report().unprocessed, 0);
    assert!(fetched(&relay).await.as_u64().unwrap() < CHANGES as u64);

    stage.to_alumniq.mend();
    first.signal("CONT");
    until_true("the first hands over what it alone has", async || {
        fetched(&relay).await == CHANGES
    })
    .await;
    logged(&first, DEPOSED).await;
    assert_eq!(stage.memory().await, memory);
    let_through(&relay).await;
    stage.everything_arrives().await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn rows_that_alumniq_has_marked_wait_for_a_redis_that_is_away_even_while_draining() {
    let stage = Stage::set(true).await;
    let relay = stage.relay();
    hold_back(&relay).await;
    let (_relay, mut first) = stage.first_in_mid_fetch().await;
    stage.to_redis.cut();
    first.signal("TERM");
    stage.to_alumniq.mend();
    logged(&first, "has marked as processed").await;
    let marked = stage.sandbox.report().marked_on_fetch;
    assert_eq!(fetched(&relay).await, 0);
    stage.to_redis.mend();
    first.ended().await;
    assert_eq!(fetched(&relay).await, marked);
    // It did not go on to the next day.
    assert_eq!(stage.sandbox.report().marked_on_fetch, marked);

    let second = relay.start(EVERYTHING).await;
    swept(&stage.redis).await;
    let_through(&relay).await;
    stage.everything_arrives().await;
    second.stop().await;
}
