//! Publishes the queue's counts as gauges, the same from every process, and says that this one lives.

use std::{collections::BTreeMap, time::Duration};

use clap::ValueEnum as _;
use jobs::{call_log, destination::Vendor};
use queue::{
    Queue, QueueError,
    recent::RecentCall,
    stats::{Books, DestinationStatus, Status, TELLS_AGAIN},
    wake::Bell,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::roles::Role;
use crate::observe::{
    Heartbeat,
    metrics::{self, BooksSnapshot, DestinationSnapshot, QueueSnapshot},
};

/// How often, while something happens.
const PUBLISH: Duration = Duration::from_secs(5);

/// How often, while nothing does. Whatever begins then is called out.
const AT_REST: Duration = Duration::from_secs(15);

/// What every process runs, whatever its roles.
pub struct Publisher {
    /// The queue.
    pub queue: Queue,
    /// This process.
    pub worker: String,
    /// What `status` shows of it, an object.
    pub info: Value,
    /// Rung when something happens in the fleet.
    pub bell: Bell,
    /// To be rung when its state has changed.
    pub notices: Bell,
}

impl Publisher {
    /// Until `closing`.
    pub async fn run(&self, beat: &Heartbeat, closing: &CancellationToken) {
        let mut before = None;
        // What each look says of the next one: readers count on it.
        let mut next = PUBLISH;
        loop {
            let looked = self.step(next).await;
            answered(&looked);
            let mut is_at_rest = false;
            match looked {
                Ok(seen) => {
                    beat.beat();
                    let seen = Some(still(seen));
                    is_at_rest = seen == before;
                    before = seen;
                }
                Err(error) => tracing::debug!(%error, "cannot publish the queue's counts"),
            }
            if !is_at_rest {
                self.notices.ring();
            }
            let pause = if is_at_rest { next } else { PUBLISH };
            if !self.wait(pause, closing).await {
                break;
            }
            let may_rest = is_at_rest && self.bell.hears();
            next = if may_rest { AT_REST } else { PUBLISH };
        }
        // Otherwise it is shown until its silence is noticed.
        let _ = self.queue.leave(&self.worker).await;
    }

    /// Shows the fleet and says that this process lives; both again within `next`.
    async fn step(&self, next: Duration) -> Result<QueueSnapshot, QueueError> {
        let calls = recent_calls();
        let mut info = self.info.clone();
        info[TELLS_AGAIN] = next.as_secs().into();
        let info = info.to_string();
        let status = self.queue.beat(&self.worker, &info, &calls).await?;
        let seen = snapshot(&status);
        metrics::publish(&seen, next);
        Ok(seen)
    }

    /// Until something happens, but not sooner than looks are apart while it does. `false`: until `closing`.
    async fn wait(&self, at_most: Duration, closing: &CancellationToken) -> bool {
        let called = async {
            tokio::join!(self.bell.rung(), tokio::time::sleep(PUBLISH));
        };
        tokio::select! {
            () = closing.cancelled() => false,
            () = tokio::time::sleep(at_most) => true,
            () = called => true,
        }
    }
}

/// What of it tells that something happened: time passes and memory is used also where nothing does.
fn still(seen: QueueSnapshot) -> QueueSnapshot {
    QueueSnapshot {
        oldest_unacknowledged: None,
        oldest_in_flight: BTreeMap::new(),
        redis_memory: 0.0,
        ..seen
    }
}

/// One last look, for a process that ends: what cannot be read now is not shown.
pub async fn publish_last(queue: &Queue) {
    let status = queue.status().await;
    answered(&status);
    match status {
        Ok(status) => metrics::publish(&snapshot(&status), PUBLISH),
        Err(error) => {
            tracing::debug!(%error, "cannot publish the queue's counts");
            metrics::forget_queue();
        }
    }
}

/// The calls of this process since the last look. What Redis does not take is not told again: it is only looked at.
fn recent_calls() -> Vec<RecentCall> {
    let recent = call_log::take_recent().into_iter();
    let recent = recent.filter_map(|(call, changes)| {
        let begun = jiff::Timestamp::try_from(call.begun).ok()?;
        Some(RecentCall {
            vendor: call.vendor.parse().ok()?,
            operation: call.operation.to_owned(),
            status: call.status,
            ms: call.duration.as_millis() as u64,
            changes: changes as u64,
            at: format!("{begun:.3}"),
            request_id: call.request_id.to_string(),
            worker: String::new(),
        })
    });
    recent.collect()
}

/// Whether Redis answered; what it said may still be of no use.
fn answered<T>(looked: &Result<T, QueueError>) {
    let trouble = looked.as_ref().err().and_then(QueueError::trouble);
    metrics::redis_up(trouble.is_none());
}

fn snapshot(status: &Status) -> QueueSnapshot {
    let view = |vendor: Vendor, counts: &DestinationStatus| DestinationSnapshot {
        waiting: counts.waiting,
        ready: gauge(counts.ready),
        running: gauge(counts.running),
        retry: gauge(counts.retry),
        dead: status
            .dead_letters
            .get(&vendor)
            .cloned()
            .unwrap_or_default(),
        paused: status
            .pauses
            .get(&vendor)
            .map(|pause| (pause.reason, pause.since_timestamp_seconds)),
    };
    let mut destinations: BTreeMap<Vendor, DestinationSnapshot> = status
        .destinations
        .iter()
        .map(|(destination, counts)| {
            let vendor = Vendor::from(*destination);
            (vendor, view(vendor, counts))
        })
        .collect();
    let acknowledgement = DestinationSnapshot {
        ready: status.to_acknowledge,
        running: status.acknowledging,
        ..view(Vendor::Alumniq, &DestinationStatus::default())
    };
    destinations.insert(Vendor::Alumniq, acknowledgement);
    let Books {
        fetched,
        acknowledged,
        discarded,
        in_flight,
        dead,
        difference,
    } = status.books;
    QueueSnapshot {
        destinations,
        oldest_unacknowledged: (status.oldest_unacknowledged_seconds > 0.0)
            .then(|| Duration::from_secs_f64(status.oldest_unacknowledged_seconds)),
        oldest_in_flight: status.oldest_in_flight_seconds.clone(),
        books: BooksSnapshot {
            fetched,
            acknowledged,
            discarded,
            in_flight,
            dead,
            difference,
        },
        redis_memory: status.memory.share(),
        workers: workers(status),
        last_successful_fetch: status.producer.last_sweep_timestamp_seconds,
        last_fetch_failed: status.producer.error.is_some(),
        key_days: status.producer.key_days,
    }
}

/// How many processes run each role.
fn workers(status: &Status) -> BTreeMap<&'static str, u64> {
    let runs = |info: &serde_json::Value, role: Role| {
        let roles = info["roles"].as_array();
        roles.is_some_and(|roles| roles.iter().any(|name| name == role.as_str()))
    };
    let all = Role::value_variants().iter();
    all.map(|role| {
        let processes = status.workers.values().filter(|info| runs(info, *role));
        (role.as_str(), processes.count() as u64)
    })
    .collect()
}

/// A count that the queue's arithmetic made negative would be a defect; gauges do not hide it as a huge number.
fn gauge(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
