//! A pipeline with nothing to do: what it costs, how soon it applies a change that comes, and how soon a process that
//! starts takes its first.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use jobs::{
    change::{self, FieldNames},
    destination::Destination,
};
use queue::{
    NO_TLS, Queue, QueueSettings, durability::DurabilityExceptions, intake::NewChange, seal::Seals,
};
use sandbox::{ChangeState, Times};
use serde::Serialize;
use serde_json::{json, value::to_raw_value};

use crate::{
    Outcome,
    figure::{Figure, percentile},
    process::Process,
    redis::Redis,
    relay::{Concurrency, Relay},
    setting::{Setting, now},
    settings::Settings,
    vendors::Vendors,
};

/// What the configuration has by default.
const CONCURRENCY: Concurrency = Concurrency { crm: 32, salsa: 4 };

/// Changes that come one by one, and how long the pipeline has been idle before each.
const CHANGES: usize = 200;
const PAUSE: Duration = Duration::from_millis(100);

/// How long nothing happens, and before that, until what begins at the start is over.
const IDLE: Duration = Duration::from_secs(60);
const SETTLING: Duration = Duration::from_secs(15);

#[derive(Debug, Serialize)]
pub struct Latency {
    /// Milliseconds from a change's entry into Redis until the slower destination has it.
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub slowest_ms: f64,
    pub idle: Idle,
    /// Milliseconds from the start of a process until its first change is applied.
    pub first_change_ms: Figure,
    /// The program's size in MiB.
    pub binary_mib: f64,
}

/// A second of a process with every role and nothing to do.
#[derive(Debug, Serialize)]
pub struct Idle {
    /// What it sends.
    pub round_trips: f64,
    /// What Redis executes of it, commands within scripts among them.
    pub commands: f64,
    /// Of one processor, in percent.
    pub cpu_percent: f64,
}

pub async fn measure(settings: &Settings) -> Outcome<Latency> {
    let setting = Setting::new(1, 0).await?;
    let (vendors, redis) = (&setting.vendors, &setting.redis);
    let relay = Relay::new(vendors, redis, CONCURRENCY);
    let process = relay.start(&["run"])?;
    vendors
        .reached(|progress| progress.acknowledged == 1)
        .await?;
    tokio::time::sleep(SETTLING).await;
    let idle = idle(redis, &process).await?;
    let queue = queue(redis).await?;
    let mut waits = Vec::new();
    for _ in 0..CHANGES {
        tokio::time::sleep(PAUSE).await;
        let (id, entered) = enqueue(vendors, &queue).await?;
        waits.push((applied(vendors, &id).await? - entered) * 1000.0);
    }
    waits.sort_by(f64::total_cmp);
    process.stop().await?;
    let mut starts = Vec::new();
    for _ in 0..settings.runs.max(5) {
        let (id, _) = enqueue(vendors, &queue).await?;
        let begun = now();
        let process = relay.start(&["run", "--roles", "crm,salsa"])?;
        starts.push((applied(vendors, &id).await? - begun) * 1000.0);
        process.stop().await?;
    }
    let after = |percent| percentile(&waits, percent).ok_or("no change");
    Ok(Latency {
        p50_ms: after(50.0)?,
        p99_ms: after(99.0)?,
        slowest_ms: after(100.0)?,
        idle,
        first_change_ms: Figure::of(starts).ok_or("no start")?,
        binary_mib: std::fs::metadata(harness::relay::program())?.len() as f64 / f64::from(1 << 20),
    })
}

async fn idle(redis: &Redis, process: &Process) -> Outcome<Idle> {
    let (before, used) = (redis.counters().await?, process.used()?);
    tokio::time::sleep(IDLE).await;
    let (after, seconds) = (redis.counters().await?, IDLE.as_secs_f64());
    // The second look itself: a connection's greeting and one question.
    let own = 3;
    Ok(Idle {
        round_trips: (after.round_trips - before.round_trips).saturating_sub(own) as f64 / seconds,
        commands: (after.commands - before.commands).saturating_sub(own) as f64 / seconds,
        cpu_percent: (process.used()?.cpu - used.cpu) * 100.0 / seconds,
    })
}

/// The queue, as the producer has it.
async fn queue(redis: &Redis) -> Outcome<Queue> {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let settings = QueueSettings {
        urls: vec![redis.url()],
        tls: NO_TLS,
        namespace: "sandbox".to_owned(),
        response_timeout: Duration::from_secs(5),
        keep: DAY,
        keep_payload: Duration::ZERO,
        keep_audit: DAY,
        destinations: Destination::ALL.to_vec(),
        patience: DAY,
        seals: Seals::default(),
    };
    let admitted = Queue::connect(settings)
        .await?
        .admit(DurabilityExceptions::default());
    let admitted = admitted.await.map_err(|refusal| format!("{refusal:?}"))?;
    Ok(admitted.queue)
}

/// A new change of somebody, as the producer brings it; and when it was in Redis.
async fn enqueue(vendors: &Vendors, queue: &Queue) -> Outcome<(String, f64)> {
    let added: serde_json::Value = vendors.post("changes", &json!({ "count": 1 })).await?;
    let id = added["change_ids"][0]
        .as_str()
        .ok_or("no change")?
        .to_owned();
    let ChangeState { row, .. } = vendors.change(&id).await?;
    let names = Arc::new(FieldNames::default());
    let identity = change::identify(&row, &names, &TimeZone::UTC).map_err(|error| error.cause)?;
    let change = NewChange {
        change_id: identity.change_id,
        xid: identity.xid,
        order: identity.order,
        row: to_raw_value(&row)?,
        letter: None,
        replaces: None,
        listed: None,
    };
    queue.enqueue(queue.now().await?, &[change]).await?;
    Ok((id, now()))
}

/// When the slower destination had it.
async fn applied(vendors: &Vendors, id: &str) -> Outcome<f64> {
    loop {
        let Times { crm, salsa, .. } = vendors.change(id).await?.times;
        if let (Some(crm), Some(salsa)) = (crm, salsa) {
            return Ok(crm.max(salsa));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
