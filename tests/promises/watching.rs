//! What a process shows to those who watch it: probes, and whom it talks to.

use crate::harness::{
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
