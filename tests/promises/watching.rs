//! What a process shows to those who watch it: probes, and whom it talks to.

use harness::{
    redis::Redis, relay::Relay, sockets::remote_ends, vendors::vendors, waiting::until_true,
};

const EVERYTHING: &str = "producer,crm,salsa,acknowledger,console";

#[tokio::test]
async fn a_process_is_not_ready_while_redis_is_silent_and_ready_again_after() {
    let sandbox = vendors(10, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.start(EVERYTHING).await;
    let becomes = async |status: u16| {
        let what = format!("/readyz answers {status}");
        until_true(&what, async || service.get("/readyz").await.0 == status).await;
        assert_eq!(service.get("/healthz").await.0, 200, "alive all the time");
    };
    becomes(200).await;
    redis.signal("STOP");
    becomes(503).await;
    redis.signal("CONT");
    becomes(200).await;
    service.stop().await;
}

#[tokio::test]
async fn a_process_talks_to_the_configured_vendors_and_to_nobody_else() {
    const CHANGES: usize = 300;
    let sandbox = vendors(CHANGES, 100).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.start(EVERYTHING).await;
    let mut seen = 0;
    until_true("every change is acknowledged", async || {
        for remote in remote_ends(service.pid()) {
            assert_eq!(remote, sandbox.addr());
            seen += 1;
        }
        sandbox.report().acknowledged == CHANGES
    })
    .await;
    assert!(seen > 0, "no connection was seen at all");
    service.stop().await;
}

/// The first line of `status`.
async fn verdict(relay: &Relay) -> String {
    let shown = relay.run(&["status"]).await.expect(0).stdout;
    shown.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn status_does_not_call_through_what_was_never_fetched_or_cannot_move() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    assert_eq!(verdict(&relay).await, "Nothing was fetched yet.");

    let relay = relay.with_variable("ALUMNIQ_API_KEY", "a-key-that-was-revoked");
    let service = relay.start(EVERYTHING).await;
    until_true("AlumnIQ's refusal comes first", async || {
        let refused = verdict(&relay).await;
        refused.starts_with("AlumnIQ refuses our credentials")
            || refused.contains("from AlumnIQ fails")
    })
    .await;
    service.stop().await;

    let mut connection = redis.connect().await;
    let mut replicas = async |count: u8| {
        redis::cmd("CONFIG")
            .arg(&["SET", "min-replicas-to-write"])
            .arg(count)
            .query_async::<()>(&mut connection)
            .await
            .unwrap();
    };
    replicas(1).await;
    let stuck = verdict(&relay).await;
    assert!(stuck.starts_with("Redis refuses every write"), "{stuck}");
    replicas(0).await;
}
