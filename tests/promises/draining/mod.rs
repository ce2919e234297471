//! Promise 8 of a process that is told to stop: what has begun is finished within a limit, the rest is given back, no
//! attempt is consumed, and nothing is left running.
//!
//! - [`limit`]: calls that would outlive the limit
//! - [`rolling`]: every process is replaced under load
//! - [`signals`]: which signals drain, when they come, and what probes answer meanwhile
//! - [`unread`]: outputs that nobody reads stop nothing
//! - [`leftovers`]: commands that start a `redis-server` of their own

use harness::{redis::Redis, relay::Relay, snapshot::Snapshot};
use sandbox::VendorFaults;

mod leftovers;
mod limit;
mod rolling;
mod signals;
mod unread;

const EVERY_ROLE: &str = "producer,crm,salsa,acknowledger";

/// Every call takes so long.
fn slow(latency_ms: u64) -> VendorFaults {
    VendorFaults {
        latency_ms,
        ..VendorFaults::default()
    }
}

/// Every entry of every timeline of the sandbox's namespace.
async fn events(redis: &Redis) -> Vec<String> {
    let snapshot = Snapshot::take(&mut redis.connect().await, "sandbox").await;
    let mut events = Vec::new();
    for timeline in snapshot.hash("events").values() {
        events.extend(timeline.split('\n').map(str::to_owned));
    }
    for (_, timeline) in snapshot.closed().values() {
        events.extend(timeline.iter().map(|event| (*event).to_owned()));
    }
    events
}

/// Those of one kind.
fn of_kind<'a>(events: &'a [String], kind: &str) -> Vec<&'a str> {
    let json = format!("\"event\":\"{kind}\"");
    let is = |event: &&str| event.split(' ').nth(1) == Some(kind) || event.contains(&json);
    events.iter().map(String::as_str).filter(is).collect()
}

/// Fails where anything is still held, or where any change has used an attempt up or counts as crashed.
async fn nothing_is_held_and_nothing_is_used_up(relay: &Relay, redis: &Redis) {
    let status = relay.status().await;
    assert_eq!(status["books"]["difference"], 0, "{status}");
    assert_eq!(status["acknowledging"], 0, "{status}");
    assert_eq!(status["refused_settles"], 0, "{status}");
    let mut connection = redis.connect().await;
    for destination in ["crm", "salsa"] {
        let counts = &status["destinations"][destination];
        assert_eq!(
            (&counts["running"], &counts["retry"]),
            (&0.into(), &0.into()),
            "{status}"
        );
        for counter in ["attempts", "crashes", "running"] {
            let used: usize = redis::cmd("HLEN")
                .arg(format!("{{sandbox}}:{counter}:{destination}"))
                .query_async(&mut connection)
                .await
                .unwrap();
            assert_eq!(used, 0, "{counter} at {destination}");
        }
    }
    let events = events(redis).await;
    for kind in ["retry", "lease_expired", "paused"] {
        assert_eq!(of_kind(&events, kind), Vec::<&str>::new());
    }
}
