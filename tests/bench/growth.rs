//! What a change costs with a thousand of them in line, and with a million.

use std::time::{Duration, Instant};

use sandbox::Progress;
use serde::Serialize;

use crate::{
    Outcome,
    figure::{Figure, percentile},
    relay::{Relay, WIDE},
    setting::{Setting, today},
    settings::Settings,
};

/// Changes that pass before the window: until everything is warm.
const WARM: usize = 250;
/// Changes of a window, and how many windows are looked at, each of a worker that starts after a rest: a machine that
/// has worked for seconds is slower than one that begins, and a thousand changes are over before that.
const WINDOW: usize = 500;
const WINDOWS: usize = 8;

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
    /// Processor time of the worker and Redis in the windows, and the vendors': the medians.
    pub cpu_ms: f64,
    pub vendors_cpu_ms: f64,
    /// The most memory of a worker, in MiB.
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
    let (mut filled, mut windows) = (None, Vec::new());
    while windows.len() < WINDOWS {
        let setting = Setting::new(queued, 0).await?;
        let relay = Relay::new(&setting.vendors, &setting.redis, WIDE);
        let fill = fill(&setting, &relay, queued).await?;
        let filled: &mut Filled = filled.get_or_insert(fill);
        filled.producer_peak = filled.producer_peak.max(fill.producer_peak);
        let mut left = queued;
        while windows.len() < WINDOWS && left >= 2 * WARM + WINDOW {
            windows.push(window(&setting, &relay).await?);
            let done = setting.vendors.progress().await?;
            left = queued - done.crm.max(done.salsa);
        }
    }
    let filled = filled.ok_or("nothing was filled")?;
    let median = |of: fn(&Window) -> f64| {
        let mut values: Vec<f64> = windows.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        percentile(&values, 50.0).unwrap_or_default()
    };
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Ok(Grown {
        enqueue_ms: filled.took.as_secs_f64() * 1000.0 / queued as f64,
        producer_peak_mib: mebibytes(filled.producer_peak),
        redis_bytes: filled.memory as f64 / queued as f64,
        change_ms: median(|window| window.change_ms),
        cpu_ms: median(|window| window.cpu_ms),
        vendors_cpu_ms: median(|window| window.vendors_cpu_ms),
        worker_peak_mib: mebibytes(windows.iter().map(|window| window.peak).max().unwrap_or(0)),
    })
}

#[derive(Clone, Copy)]
struct Filled {
    took: Duration,
    memory: u64,
    producer_peak: u64,
}

async fn fill(setting: &Setting, relay: &Relay, queued: usize) -> Outcome<Filled> {
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
        return Err(format!("sync of {queued} ended with {fetched}: {}", relay.log()).into());
    }
    Ok(Filled {
        took: begun.elapsed(),
        memory: setting.redis.counters().await?.memory - empty,
        producer_peak: producer.peak,
    })
}

/// A change, in milliseconds.
struct Window {
    change_ms: f64,
    cpu_ms: f64,
    vendors_cpu_ms: f64,
    /// Of the worker's memory, in bytes.
    peak: u64,
}

/// Looks on while a new worker begins with the line.
async fn window(setting: &Setting, relay: &Relay) -> Outcome<Window> {
    // It writes its file anew, in a process of its own, whenever that has doubled.
    setting.redis.rests().await?;
    let vendors = &setting.vendors;
    let both = |progress: &Progress| progress.crm.min(progress.salsa);
    let done = both(&vendors.progress().await?);
    let worker = relay.start(&["run", "--roles", "crm,salsa,acknowledger"])?;
    let look = async |enough: usize| -> Outcome<(Instant, usize, f64, f64)> {
        let reached = vendors.reached(|progress| both(progress) >= done + enough);
        let progress = reached.await?;
        let cpu = worker.used()?.cpu + setting.redis.counters().await?.used.cpu;
        Ok((Instant::now(), both(&progress), cpu, vendors.used()?.cpu))
    };
    let first = look(WARM).await?;
    let last = look(WARM + WINDOW).await?;
    let peak = worker.used()?.peak;
    worker.stop().await?;
    let each = |seconds: f64| seconds * 1000.0 / (last.1 - first.1) as f64;
    Ok(Window {
        change_ms: each((last.0 - first.0).as_secs_f64()),
        cpu_ms: each(last.2 - first.2),
        vendors_cpu_ms: each(last.3 - first.3),
        peak,
    })
}
