//! The queue's data are checked once an hour, and what contradicts is repaired.

use std::time::Duration;

use jobs::change;
use queue::{QueueError, Record, defects::Defects};
use tokio_util::sync::CancellationToken;

use super::Producer;
use crate::observe::metrics;

/// How often.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// How often a process asks whether it is to check. The first time soon, because most damage is done by an upgrade or by
/// hand, after which processes start.
const ASK: Duration = Duration::from_secs(10 * 60);

/// When it asks first: somebody leads by then.
const FIRST: Duration = Duration::from_secs(15);

impl Producer {
    /// Checks the queue's data while this process leads, until `closing`.
    pub async fn keep_sound(&self, closing: &CancellationToken) {
        let mut pause = FIRST;
        loop {
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            tokio::select! {
                () = closing.cancelled() => return,
                checked = self.check_if_due() => if let Err(error) = checked {
                    tracing::debug!(%error, "cannot check the queue's data; trying again");
                }
            }
            pause = ASK;
        }
    }

    async fn check_if_due(&self) -> Result<(), QueueError> {
        let due = EVERY.as_millis() as u64;
        if !self.queue.is_check_due(&self.who, due).await? {
            return Ok(());
        }
        let defects = self.find_defects(true).await?;
        self.queue.record_check(&defects).await?;
        for (kind, count) in &defects.found {
            metrics::queue_defects(*kind, *count);
        }
        if defects.total() > 0 {
            tracing::warn!(
                found = %defects,
                left = defects.left,
                "the queue's data contradicted themselves; what can be repaired is repaired"
            );
        }
        Ok(())
    }

    /// Looks for contradictions in the queue's data and, where `fix` says so, repairs them.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn find_defects(&self, fix: bool) -> Result<Defects, QueueError> {
        let order_of = |record: &Record| {
            let row = change::parse(record.row.get(), &self.names).ok()?;
            let identity = change::identify(&row, &self.names, &self.timezone).ok()?;
            Some(identity.order)
        };
        self.queue.find_defects(&order_of, fix).await
    }
}
