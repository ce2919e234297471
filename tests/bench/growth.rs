//! What a change costs with a thousand of them in line, and with a million.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::{
    Outcome,
    figure::{Figure, percentile},
    process::Process,
    relay::{Relay, WIDE},
    setting::{Setting, today},
    settings::Settings,
};

/// Changes that pass before the first window: until everything is warm.
const WARM: usize = 300;
/// Changes of a window, and how many windows are looked at: what else the machine does meets some of them.
const WINDOW: usize = 500;
const WINDOWS: usize = 40;

/// All runs with one number of changes in line.
#[derive(Debug, Serialize)]
pub struct Growth {
    pub queued: usize,
    pub runs: Vec<Grown>,
    /// Time a change beside that of the first number, of the same round.
    pub ratio: Option<Figure>,
}

/// What one run took, a change where nothing else is said.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Grown {
    /// Milliseconds from the feed into the queue.
    pub enqueue_ms: f64,
    /// The most memory of the process that fetched, in MiB.
    pub producer_peak_mib: f64,
    /// Bytes of Redis' memory that a change in line takes, its row among them.
    pub redis_bytes: f64,
    /// Milliseconds until both destinations have it, while so many wait in line: the median of all windows.
    pub change_ms: f64,
    /// Processor time of the worker and Redis in all windows, and the vendors'.
    pub cpu_ms: f64,
    pub vendors_cpu_ms: f64,
    /// The most memory of the worker, in MiB.
    pub worker_peak_mib: f64,
}

impl Growth {
    pub fn of(&self, figure: impl Fn(&Grown) -> f64) -> Option<Figure> {
        Figure::of(self.runs.iter().map(figure))
    }
}

pub async fn measure(settings: &Settings) -> Outcome<Vec<Growth>> {
    let sizes = settings.queued.iter();
    let mut all: Vec<Growth> = sizes
        .map(|&queued| Growth {
            queued,
            runs: Vec::new(),
            ratio: None,
        })
        .collect();
    for _ in 0..settings.runs {
        for growth in &mut all {
            let grown = with(growth.queued).await?;
            eprintln!("{} in line: {grown:?}", growth.queued);
            growth.runs.push(grown);
        }
    }
    let first: Vec<f64> = all.first().map_or_else(Vec::new, |growth| {
        growth.runs.iter().map(|run| run.change_ms).collect()
    });
    for growth in all.iter_mut().skip(1) {
        let rounds = growth.runs.iter().zip(&first);
        growth.ratio = Figure::of(rounds.map(|(run, first)| run.change_ms / first));
    }
    Ok(all)
}

async fn with(queued: usize) -> Outcome<Grown> {
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
    // It writes its file anew, in a process of its own, whenever that has doubled.
    setting.redis.rests().await?;
    let worker = relay.start(&["run", "--roles", "crm,salsa,acknowledger"])?;
    let worked = windows(&setting, &worker, queued).await?;
    let peak = worker.used()?.peak;
    worker.stop().await?;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Ok(Grown {
        enqueue_ms: enqueued.as_secs_f64() * 1000.0 / queued as f64,
        producer_peak_mib: mebibytes(producer.peak),
        redis_bytes: memory as f64 / queued as f64,
        change_ms: percentile(&worked.windows, 50.0).ok_or("too few changes for a window")?,
        cpu_ms: worked.cpu_ms,
        vendors_cpu_ms: worked.vendors_cpu_ms,
        worker_peak_mib: mebibytes(peak),
    })
}

struct Worked {
    /// Milliseconds a change in each window, sorted.
    windows: Vec<f64>,
    cpu_ms: f64,
    vendors_cpu_ms: f64,
}

/// Looks on while the first changes of the line are worked on.
async fn windows(setting: &Setting, worker: &Process, queued: usize) -> Outcome<Worked> {
    let look = async |enough: usize| -> Outcome<(Instant, usize, f64, f64)> {
        let vendors = &setting.vendors;
        let reached = vendors.reached(|progress| progress.crm.min(progress.salsa) >= enough);
        let progress = reached.await?;
        let cpu = worker.used()?.cpu + setting.redis.counters().await?.used.cpu;
        let done = progress.crm.min(progress.salsa);
        Ok((Instant::now(), done, cpu, vendors.used()?.cpu))
    };
    let first = look(WARM.min(queued / 4)).await?;
    let (mut windows, mut last) = (Vec::new(), first);
    while windows.len() < WINDOWS && last.1 + WINDOW <= queued {
        let next = look(last.1 + WINDOW).await?;
        let took = next.0 - last.0;
        windows.push(took.as_secs_f64() * 1000.0 / (next.1 - last.1) as f64);
        last = next;
    }
    windows.sort_by(f64::total_cmp);
    let each = |seconds: f64| seconds * 1000.0 / (last.1 - first.1) as f64;
    Ok(Worked {
        windows,
        cpu_ms: each(last.2 - first.2),
        vendors_cpu_ms: each(last.3 - first.3),
    })
}
