//! A fleet with nothing to do rests until it is called, and misses nothing by that.

use harness::{
    redis::{Redis, command},
    relay::{Relay, text},
    service::Service,
    vendors::{acknowledged, every_promise_held, vendors},
    waiting::{until, until_true},
};
use redis::{AsyncTypedCommands, aio::MultiplexedConnection};
use sandbox::{Faults, NewChanges, Sandbox, VendorFaults};
use serde_json::Value;

const EVERYTHING: &str = "producer,crm,salsa,acknowledger,console";

/// A fetch now and then by hand; otherwise nothing happens by itself.
fn configured(sandbox: &Sandbox, redis: &Redis) -> Relay {
    Relay::new(sandbox, Some(redis)).set("alumniq.poll", "every 1h")
}

/// Waits until so many processes say that they have nothing to do.
async fn at_rest(relay: &Relay, processes: usize) {
    until_true("everybody rests", async || {
        let status = relay.status().await;
        let workers = status["workers"].as_object().unwrap();
        let resting = workers
            .values()
            .filter(|info| info["tells_again_seconds"] == 15);
        workers.len() == processes && resting.count() == processes
    })
    .await;
}

/// A change that AlumnIQ lists and the fleet takes in; its id.
async fn one_change(sandbox: &Sandbox, relay: &Relay) -> String {
    let id = sandbox.add_changes(&NewChanges {
        count: 1,
        ..NewChanges::default()
    });
    relay.run(&["sync"]).await.expect(0);
    id.into_iter().next().unwrap()
}

/// When this happened to the change, ms.
fn at(shown: &Value, event: &str) -> Option<i64> {
    let events = shown["events"].as_array().unwrap();
    let found = events.iter().find(|found| found["event"] == event)?;
    let at: jiff::Timestamp = text(&found["at"]).parse().unwrap();
    Some(at.as_millisecond())
}

/// The server's counters: its time in ms, commands from clients, and all commands, those within scripts included;
/// and the number of commands that this call added.
async fn counted(connection: &mut MultiplexedConnection) -> [u64; 3] {
    let time: (u64, u64) = redis::cmd("TIME").query_async(connection).await.unwrap();
    let info: String = redis::cmd("INFO")
        .arg("everything")
        .query_async(connection)
        .await
        .unwrap();
    let field = |name: &str| -> u64 {
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        let value = lines.find(|(field, _)| *field == name);
        let value = value.map_or("0", |(_, value)| value);
        let value = value.trim_start_matches("calls=");
        let digits = value.split(|c: char| !c.is_ascii_digit()).next();
        digits.unwrap().parse().unwrap_or(0)
    };
    let sent = field("cmdstat_evalsha") + field("cmdstat_eval") + field("cmdstat_ping");
    let all = field("total_commands_processed");
    [time.0 * 1000 + time.1 / 1000, sent, all]
}

#[tokio::test]
async fn a_process_with_nothing_to_do_costs_redis_less_than_two_commands_a_second() {
    const MINUTE: u64 = 60_000;
    let sandbox = vendors(1, 1).await;
    let redis = Redis::start().await;
    let relay = configured(&sandbox, &redis);
    let service = relay.start(EVERYTHING).await;
    acknowledged(&sandbox, 1).await;
    at_rest(&relay, 1).await;

    let mut connection = redis.connect().await;
    let [begun, sent_before, all_before] = counted(&mut connection).await;
    let mut own = 0;
    let [ended, sent, all] = until("a minute is over", async || {
        let counted = counted(&mut connection).await;
        own += 2;
        (counted[0] >= begun + MINUTE).then_some(counted)
    })
    .await;
    let a_second = |commands: u64| commands as f64 * 1000.0 / (ended - begun) as f64;
    let (sent, all) = (
        a_second(sent - sent_before),
        a_second(all - all_before - own),
    );
    println!("{sent:.2} commands a second are sent, {all:.2} with those within scripts");
    assert!(sent > 0.0 && all > sent, "{sent} of {all}: it lives");
    assert!(sent < 0.5, "{sent} commands a second are sent");
    assert!(
        all < 2.0,
        "{all} commands a second, with those within scripts"
    );
    assert_eq!(service.get("/readyz").await.0, 200, "and it is ready");
    service.stop().await;
}

#[tokio::test]
async fn a_change_that_its_worker_took_to_the_grave_is_taken_over_by_a_process_at_rest() {
    // As long as a process at rest would look by itself.
    const SELDOM: i64 = 60_000;
    let sandbox = vendors(0, 1).await;
    let redis = Redis::start().await;
    let relay = configured(&sandbox, &redis).set("worker.lease", "2s");
    let mut fleet = Vec::new();
    for _ in 0..2 {
        fleet.push(relay.start(EVERYTHING).await);
    }
    at_rest(&relay, 2).await;
    sandbox.set_faults(Faults {
        crm: VendorFaults {
            latency_ms: 3_600_000,
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let id = one_change(&sandbox, &relay).await;
    let mut connection = redis.connect().await;
    let holder = until("somebody has it", async || {
        let running = connection.hvals("{sandbox}:running:crm").await.unwrap();
        running.into_iter().next()
    })
    .await;
    let is_holder = |service: &Service| holder.contains(&format!("-{}-", service.pid()));
    let holds = fleet.iter().position(is_holder).unwrap();
    fleet.remove(holds).kill9().await;
    sandbox.set_faults(Faults::default());
    acknowledged(&sandbox, 1).await;
    every_promise_held(&sandbox.report(), &[], &[]);

    let shown = relay.show(&id).await;
    let lost = at(&shown, "lease_expired").expect("its lease ended");
    let waited = lost - at(&shown, "fetched").unwrap();
    assert!(waited < SELDOM / 2, "{waited} ms: {shown}");
    fleet.remove(0).stop().await;
}

#[tokio::test]
async fn a_leader_at_rest_holds_the_lead_for_longer_and_leaves_it_at_once_when_it_is_told_to_stop()
{
    let sandbox = vendors(1, 1).await;
    let redis = Redis::start().await;
    let relay = configured(&sandbox, &redis);
    let first = relay.start("producer").await;
    let leads = async |service: &Service| {
        let named = format!("-{}-", service.pid());
        until_true("it leads", async || {
            let status = relay.status().await;
            let leader = status["producer"]["leader"].as_str().unwrap_or_default();
            leader.contains(&named)
        })
        .await;
    };
    leads(&first).await;
    let mut connection = redis.connect().await;
    until_true("the lead is a long one", async || {
        let left = command(&mut connection, "PTTL {sandbox}:leader").await;
        let left: i64 = redis::from_redis_value(left).unwrap();
        assert!(left <= 60_000, "{left}");
        left > 15_000
    })
    .await;
    let second = relay.start("producer").await;
    at_rest(&relay, 2).await;
    first.stop().await;
    leads(&second).await;
    second.stop().await;
}
