//! What a change costs with a thousand of them in line, and with a million.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::{
    Outcome,
    relay::{Relay, WIDE},
    setting::{Setting, today},
    settings::Settings,
};

/// Changes between two looks at the clock: the first ones, until everything is warm, and those that are measured.
const WARM: usize = 300;
const MEASURED: usize = 20_000;

#[derive(Debug, Serialize)]
pub struct Growth {
    pub queued: usize,
    /// Milliseconds a change, from the feed into the queue.
    pub enqueue_ms: f64,
    /// The most memory of the process that fetched, in MiB.
    pub producer_peak_mib: f64,
    /// Bytes of Redis' memory that a change in line takes, its row among them.
    pub redis_bytes: f64,
    /// Milliseconds a change, until both destinations have it, while so many wait in line.
    pub change_ms: f64,
    /// The most memory of the worker, in MiB.
    pub worker_peak_mib: f64,
}

pub async fn measure(settings: &Settings) -> Outcome<Vec<Growth>> {
    let mut all = Vec::new();
    for &queued in &settings.queued {
        let growth = with(queued).await?;
        eprintln!("{growth:?}");
        all.push(growth);
    }
    Ok(all)
}

async fn with(queued: usize) -> Outcome<Growth> {
    let setting = Setting::new(queued, 0).await?;
    let relay = Relay::new(&setting.vendors, &setting.redis, WIDE)?;
    let empty = setting.redis.counters().await?.memory;
    let begun = Instant::now();
    let mut sync = relay.start(&["sync", "--on", &today()])?;
    let mut producer = sync.used()?;
    let fetched = loop {
        tokio::select! {
            status = sync.end() => break status?,
            () = tokio::time::sleep(Duration::from_millis(10)) => {
                producer = producer.most(sync.used().unwrap_or_default());
            }
        }
    };
    if !fetched.success() {
        return Err(format!("sync ended with {fetched}: {}", relay.log()).into());
    }
    let enqueued = begun.elapsed();
    let memory = setting.redis.counters().await?.memory - empty;
    let worker = relay.start(&["run", "--roles", "crm,salsa,acknowledger"])?;
    let vendors = &setting.vendors;
    let (first, last) = (WARM.min(queued / 4), (WARM + MEASURED).min(queued));
    let done = |many| vendors.reached(move |progress| progress.crm.min(progress.salsa) >= many);
    done(first).await?;
    let (begun, from) = (Instant::now(), vendors.progress().await?);
    done(last).await?;
    let (took, to) = (begun.elapsed(), vendors.progress().await?);
    let measured = to.crm.min(to.salsa) - from.crm.min(from.salsa);
    let peak = worker.used()?.peak;
    worker.stop().await?;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let each = |took: Duration, many: usize| took.as_secs_f64() * 1000.0 / many as f64;
    Ok(Growth {
        queued,
        enqueue_ms: each(enqueued, queued),
        producer_peak_mib: mebibytes(producer.peak),
        redis_bytes: memory as f64 / queued as f64,
        change_ms: each(took, measured),
        worker_peak_mib: mebibytes(peak),
    })
}
