//! Where a run takes place, and what it took.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sandbox::{Report, Times};
use serde::Serialize;

use crate::{
    Outcome,
    figure::percentile,
    process::{Process, Used, used_by_all},
    redis::{Counters, Redis},
    vendors::Vendors,
};

/// Vendors and a Redis, both fresh.
pub struct Setting {
    pub vendors: Vendors,
    pub redis: Redis,
    before: Counters,
    vendors_cpu: f64,
    begun: f64,
}

/// What one run of all its changes took, a change where nothing else is said.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Run {
    pub changes_per_second: f64,
    /// Processor seconds of everything but the vendors, and of it Redis' share.
    pub cpu_ms: f64,
    pub redis_cpu_ms: f64,
    pub vendors_cpu_ms: f64,
    /// The most memory that its processes had resident, in MiB.
    pub peak_mib: f64,
    pub redis_commands: f64,
    pub redis_round_trips: f64,
    pub redis_bytes: f64,
    pub http_calls: f64,
    /// From the start to the acknowledgement of half and of 99 % of the changes, in seconds.
    pub half_seconds: f64,
    pub p99_seconds: f64,
}

impl Setting {
    pub async fn new(changes: usize, vendor_ms: u64) -> Outcome<Self> {
        let vendors = Vendors::start(changes, changes.div_ceil(3)).await?;
        vendors.slow_down(vendor_ms).await?;
        let redis = Redis::start().await;
        Ok(Self {
            before: Counters::default(),
            vendors_cpu: 0.0,
            begun: now(),
            vendors,
            redis,
        })
    }

    /// The clock begins now.
    pub async fn begin(&mut self) -> Outcome<()> {
        self.before = self.redis.counters().await?;
        self.vendors_cpu = self.vendors.used()?.cpu;
        self.begun = now();
        Ok(())
    }

    /// Waits for the last acknowledgement, and checks that no promise was broken on the way.
    pub async fn end(&self, processes: &[Process]) -> Outcome<Run> {
        let changes = self.vendors.progress().await?.changes;
        let mut used = Used::default();
        while self.vendors.progress().await?.acknowledged < changes {
            used = used.most(used_by_all(processes)?);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        used = used.most(used_by_all(processes)?);
        let redis = self.redis.counters().await?;
        let vendors_cpu = self.vendors.used()?.cpu - self.vendors_cpu;
        let report = self.vendors.report().await?;
        if !report.acknowledged_early.is_empty() {
            return Err("a change was acknowledged before it was applied".into());
        }
        let mut ends: Vec<f64> = (self.vendors.times().await?.iter())
            .filter_map(|Times { acknowledged, .. }| Some((*acknowledged)? - self.begun))
            .collect();
        ends.sort_by(f64::total_cmp);
        let after = |percent| percentile(&ends, percent).ok_or("no change");
        let each = changes as f64;
        let redis_cpu = redis.used.cpu - self.before.used.cpu;
        let in_redis = |after: u64, before: u64| (after - before) as f64 / each;
        Ok(Run {
            changes_per_second: each / after(100.0)?,
            cpu_ms: (used.cpu + redis_cpu) * 1000.0 / each,
            redis_cpu_ms: redis_cpu * 1000.0 / each,
            vendors_cpu_ms: vendors_cpu * 1000.0 / each,
            peak_mib: used.peak as f64 / f64::from(1 << 20),
            redis_commands: in_redis(redis.commands, self.before.commands),
            redis_round_trips: in_redis(redis.round_trips, self.before.round_trips),
            redis_bytes: in_redis(redis.bytes, self.before.bytes),
            http_calls: calls(&report) / each,
            half_seconds: after(50.0)?,
            p99_seconds: after(99.0)?,
        })
    }
}

/// All calls that vendors saw, whatever came of them.
pub fn calls(report: &Report) -> f64 {
    let vendors = report.traffic.calls.values();
    let statuses = vendors.flat_map(|operations| operations.values());
    statuses.flat_map(|counts| counts.values()).sum::<u64>() as f64
}

/// Seconds since the epoch, as the vendors stamp what happens.
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// The day whose changes the vendors have: in UTC, as their feed.
pub fn today() -> String {
    jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date()
        .to_string()
}
