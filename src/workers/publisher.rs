//! Publishes the queue's counts as gauges, the same from every process, and says that this one lives.

use std::{collections::BTreeMap, time::Duration};

use jobs::destination::Vendor;
use tokio_util::sync::CancellationToken;

use crate::{
    console::Beat,
    metrics::{self, DestinationSnapshot, QueueSnapshot},
    queue::{
        Queue, QueueError,
        stats::{DestinationStatus, Status},
    },
};

/// How often.
const PUBLISH: Duration = Duration::from_secs(5);

/// What every process runs, whatever its roles.
pub struct Publisher {
    /// The queue.
    pub queue: Queue,
    /// This process.
    pub worker: String,
    /// What `status` shows of it, JSON.
    pub info: String,
}

impl Publisher {
    /// Until `closing`.
    pub async fn run(&self, beat: &Beat, closing: &CancellationToken) {
        loop {
            match self.step().await {
                Ok(()) => {
                    metrics::redis_up(true);
                    beat.beat();
                }
                Err(error) => {
                    metrics::redis_up(error.trouble().is_none());
                    tracing::debug!(%error, "cannot publish the queue's counts");
                }
            }
            tokio::select! {
                () = closing.cancelled() => break,
                () = tokio::time::sleep(PUBLISH) => {}
            }
        }
        // Otherwise it is shown until its silence is noticed.
        let _ = self.queue.leave(&self.worker).await;
    }

    async fn step(&self) -> Result<(), QueueError> {
        self.queue.beat(&self.worker, &self.info).await?;
        metrics::publish(&snapshot(&self.queue.status().await?));
        Ok(())
    }
}

fn snapshot(status: &Status) -> QueueSnapshot {
    let view = |vendor: Vendor, counts: &DestinationStatus| DestinationSnapshot {
        waiting: gauge(counts.waiting),
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
            .into_iter()
            .map(|pause| pause.reason)
            .collect(),
    };
    let mut destinations: BTreeMap<&'static str, DestinationSnapshot> = status
        .destinations
        .iter()
        .map(|(destination, counts)| (destination.as_str(), view((*destination).into(), counts)))
        .collect();
    let acknowledgement = DestinationSnapshot {
        ready: status.to_acknowledge,
        running: status.acknowledging,
        ..view(Vendor::Alumniq, &DestinationStatus::default())
    };
    destinations.insert(Vendor::Alumniq.as_str(), acknowledgement);
    QueueSnapshot {
        destinations,
        oldest_unacknowledged: (status.oldest_unacknowledged_seconds > 0.0)
            .then(|| Duration::from_secs_f64(status.oldest_unacknowledged_seconds)),
        books_difference: status.books.difference,
        redis_memory: status.memory.share(),
    }
}

/// A count that the queue's arithmetic made negative would be a defect; gauges do not hide it as a huge number.
fn gauge(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
