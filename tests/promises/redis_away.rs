//! Redis refuses or falls silent: the fleet waits, says why once, and goes on by itself.

use harness::{
    proxy::{Proxy, Server},
    redis::{Redis, command},
    relay::Relay,
    service::Service,
    sockets::Port,
    vendors::{acknowledged, every_promise_held, vendors},
    waiting::until_true,
};
use sandbox::{Faults, Sandbox, VendorFaults};

const EVERYTHING: &str = "producer,crm,salsa,acknowledger";
const CHANGES: usize = 200;

/// Vendors slow enough that trouble meets work in progress.
async fn slow() -> Sandbox {
    let sandbox = vendors(CHANGES, 60).await;
    let slow = |latency_ms| VendorFaults {
        latency_ms,
        ..VendorFaults::default()
    };
    sandbox.set_faults(Faults {
        alumniq: slow(20),
        crm: slow(40),
        salsa: slow(80),
    });
    sandbox
}

fn configured(sandbox: &Sandbox, redis: &Redis) -> Relay {
    Relay::new(sandbox, Some(redis))
        .set("worker.lease", "2s")
        .set("crm.concurrency", "4")
        .set("redis.response_timeout", "1s")
        .set("alumniq.poll", "every 10s")
}

async fn some_applied(sandbox: &Sandbox) {
    until_true("some changes are applied", async || {
        sandbox
            .report()
            .applied
            .values()
            .all(|applied| *applied >= 20)
    })
    .await;
}

async fn says(service: &Service, words: &str) {
    let what = format!("the log says {words:?}");
    until_true(&what, async || service.log().contains(words)).await;
}

/// Everything is applied and acknowledged, and no change was charged for the trouble, which was told once.
async fn goes_on(sandbox: &Sandbox, relay: &Relay, service: Service, words: &str) {
    acknowledged(sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
    says(&service, "over: ").await;
    let log = service.log();
    let told = |part: &str| log.lines().filter(|line| line.contains(part)).count();
    assert!(told(words) <= 2 * told("over: "), "{words}:\n{log}");
    service.stop().await;
}

/// Commands bring the trouble about and end it; meanwhile the log says `words`.
async fn outlives(begin: &[&str], words: &str, end: &[&str]) {
    let sandbox = slow().await;
    let redis = Redis::start().await;
    let relay = configured(&sandbox, &redis);
    let service = relay.start(EVERYTHING).await;
    some_applied(&sandbox).await;
    let mut admin = redis.connect().await;
    for words in begin {
        command(&mut admin, words).await;
    }
    says(&service, words).await;
    for words in end {
        command(&mut admin, words).await;
    }
    goes_on(&sandbox, &relay, service, words).await;
}

#[tokio::test]
async fn a_redis_that_a_failover_made_a_replica_is_waited_for() {
    outlives(
        &["REPLICAOF 127.0.0.1 1"],
        "this Redis is a read-only replica",
        &["REPLICAOF NO ONE"],
    )
    .await;
}

#[tokio::test]
async fn a_redis_that_asks_for_a_password_is_waited_for() {
    outlives(
        &["CONFIG SET requirepass secret", "CLIENT KILL TYPE normal"],
        "Redis refuses our credentials or rights",
        &["CONFIG SET requirepass ''"],
    )
    .await;
}

#[tokio::test]
async fn a_redis_with_too_many_clients_is_waited_for() {
    outlives(
        &[
            "CONFIG SET maxclients 1",
            "CLIENT KILL TYPE pubsub",
            "CLIENT KILL TYPE normal",
        ],
        "Redis does not answer",
        &["CONFIG SET maxclients 1000"],
    )
    .await;
}

#[tokio::test]
async fn a_redis_that_misses_replicas_is_waited_for() {
    outlives(
        &["CONFIG SET min-replicas-to-write 1"],
        "Redis misses replicas and takes no changes",
        &["CONFIG SET min-replicas-to-write 0"],
    )
    .await;
}

#[tokio::test]
async fn a_redis_whose_disk_fails_is_waited_for() {
    let sandbox = slow().await;
    let redis = Redis::start().await;
    let relay = configured(&sandbox, &redis);
    let service = relay.start(EVERYTHING).await;
    some_applied(&sandbox).await;
    // A snapshot cannot take the place of a directory.
    let in_the_way = redis.path("dump.rdb");
    std::fs::create_dir_all(in_the_way.join("full")).unwrap();
    let save = redis::cmd("CONFIG")
        .arg(&["SET", "save", "3600 1"])
        .to_owned();
    let saves: redis::RedisResult<()> = save.query_async(&mut redis.connect().await).await;
    saves.unwrap();
    snapshot(&redis, "err").await;
    let words = "Redis cannot write to its disk";
    says(&service, words).await;
    // What only looks is answered all the same.
    assert_eq!(relay.status().await["books"]["difference"], 0);
    std::fs::remove_dir_all(in_the_way).unwrap();
    snapshot(&redis, "ok").await;
    goes_on(&sandbox, &relay, service, words).await;
}

/// Has a snapshot taken that ends so.
async fn snapshot(redis: &Redis, ends: &str) {
    redis.command("BGSAVE").await;
    until_true("the snapshot has ended", async || {
        let info: String =
            redis::from_redis_value(redis.command("INFO persistence").await).unwrap();
        info.contains("rdb_bgsave_in_progress:0")
            && info.contains(&format!("rdb_last_bgsave_status:{ends}"))
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_runs_somebodys_endless_script_is_waited_for() {
    let sandbox = slow().await;
    let redis = Redis::start().await;
    let relay = configured(&sandbox, &redis);
    redis.command("CONFIG SET busy-reply-threshold 100").await;
    let service = relay.start(EVERYTHING).await;
    some_applied(&sandbox).await;
    let mut somebody = redis.connect().await;
    let endless = tokio::spawn(async move {
        let script = redis::cmd("EVAL")
            .arg("while true do end")
            .arg(0)
            .to_owned();
        script.query_async::<()>(&mut somebody).await
    });
    let words = "a script of somebody keeps Redis busy";
    says(&service, words).await;
    redis.command("SCRIPT KILL").await;
    assert!(endless.await.unwrap().is_err());
    goes_on(&sandbox, &relay, service, words).await;
}

#[tokio::test]
async fn a_redis_that_loads_its_data_after_a_restart_is_waited_for() {
    let sandbox = slow().await;
    let mut redis = Redis::start().await;
    let relay = configured(&sandbox, &redis);
    let service = relay.start(EVERYTHING).await;
    some_applied(&sandbox).await;
    // Each command of its file takes it as long (µs), and it answers in between.
    redis.set_options(&[
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    redis.kill9().await;
    redis.command("CONFIG SET key-load-delay 0").await;
    goes_on(&sandbox, &relay, service, "Redis is loading its data").await;
}

#[tokio::test]
async fn a_worker_that_is_cut_off_from_redis_loses_its_leases_and_comes_back_by_itself() {
    let sandbox = slow().await;
    let redis = Redis::start().await;
    let wire = Proxy::to(Server::Socket(redis.socket())).await;
    let relay = configured(&sandbox, &redis);
    let behind =
        configured(&sandbox, &redis).set("redis.url", &format!("redis://{}", wire.address()));
    let producer = relay.start("producer,acknowledger").await;
    let alone = behind.start("crm,salsa").await;
    some_applied(&sandbox).await;
    wire.silence();
    says(&alone, "Redis does not answer").await;
    until_true("it is not ready", async || {
        alone.get("/readyz").await.0 == 503
    })
    .await;
    // Others take over what it held, and everything is done without it.
    let others = relay.start("crm,salsa").await;
    acknowledged(&sandbox, CHANGES).await;
    others.stop().await;
    wire.mend();
    sandbox.add_changes(&sandbox::NewChanges {
        count: 20,
        ..Default::default()
    });
    acknowledged(&sandbox, CHANGES + 20).await;
    until_true("it is ready again", async || {
        alone.get("/readyz").await.0 == 200
    })
    .await;
    every_promise_held(&sandbox.report(), &[], &[]);
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
    for service in [alone, producer] {
        service.stop().await;
    }
}

/// A service that waits for Redis at `port`: it says where it listens only later.
async fn waiting(relay: &Relay, port: &Port) -> Service {
    let service = relay
        .spawn(&["--log-format", "json", "run"])
        .listening_on(port.address());
    says(&service, "this process waits and is not ready").await;
    service
}

#[tokio::test]
async fn a_service_that_starts_before_redis_is_alive_and_not_ready_and_begins_when_redis_comes() {
    let sandbox = vendors(20, 10).await;
    let mut redis = Redis::start().await;
    redis.stop().await;
    let port = Port::hold();
    let relay = configured(&sandbox, &redis).set("console.listen", &port.address().to_string());
    relay.run(&["sync"]).await.expect(1);
    let service = waiting(&relay, &port).await;
    assert_eq!(service.get("/healthz").await.0, 200);
    let (status, body) = service.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("Redis does not answer"), "{body}");
    redis.start_again().await;
    acknowledged(&sandbox, 20).await;
    until_true("it is ready", async || {
        service.get("/readyz").await.0 == 200
    })
    .await;
    every_promise_held(&sandbox.report(), &[], &[]);
    service.stop().await;
    // A signal meanwhile ends it at once.
    redis.stop().await;
    waiting(&relay, &port).await.stop().await;
}
