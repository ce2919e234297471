//! Who fetches, and when: one leader at a time, whatever happens to it, and no campus day falls out.

mod calendar;
mod failures;
mod large;
mod leaders;

use harness::{redis::Redis, relay::Relay, service::Service, waiting::until};
use redis::AsyncTypedCommands;
use sandbox::{Sandbox, Vendor};
use serde_json::Value;

const EVERYTHING: &str = "producer,crm,salsa,acknowledger";

/// It fetches at its start and then not for as long as a test lasts, and loses no lease on a busy machine.
fn fetching_once(sandbox: &Sandbox, redis: &Redis) -> Relay {
    Relay::new(sandbox, Some(redis))
        .set("worker.lease", "300s")
        .set("alumniq.poll", "every 7days")
        .set("alumniq.timeout", "600s")
}

/// One field of what the fleet remembers of its fetches.
async fn remembered(redis: &Redis, field: &str) -> Option<String> {
    let key = "{sandbox}:producer";
    redis.connect().await.hget(key, field).await.unwrap()
}

/// Writes it, as if it had been so.
async fn remember(redis: &Redis, field: &str, value: u64) {
    let key = "{sandbox}:producer";
    redis.connect().await.hset(key, field, value).await.unwrap();
}

/// Waits until a sweep has left nothing out, and says when it began.
async fn swept(redis: &Redis) -> u64 {
    let swept = until("a sweep is complete", async || {
        remembered(redis, "last_sweep").await
    })
    .await;
    swept.parse().unwrap()
}

async fn fetched(relay: &Relay) -> Value {
    relay.status().await["books"]["fetched"].clone()
}

fn gets(sandbox: &Sandbox) -> u64 {
    sandbox.report().traffic.calls_of(Vendor::Alumniq, "fetch")
}

/// Nothing reaches a destination: nothing that was fetched is acknowledged, and nothing becomes stale.
async fn hold_back(relay: &Relay) {
    for destination in ["crm", "salsa"] {
        relay.run(&["pause", destination]).await.expect(0);
    }
}

async fn let_through(relay: &Relay) {
    for destination in ["crm", "salsa"] {
        relay.run(&["resume", destination]).await.expect(0);
    }
}

async fn logged(service: &Service, words: &str) {
    until(&format!("the log says {words:?}"), async || {
        service.log().contains(words).then_some(())
    })
    .await;
}
