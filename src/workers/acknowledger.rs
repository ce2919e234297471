//! Tells AlumnIQ what every destination has taken, in batches.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use jobs::{
    acknowledge::{self, AckOutcome},
    destination::Vendor,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    console::health::Beat,
    metrics,
    queue::{
        Queue, QueueError,
        acknowledgement::{AckBatch, AckClaim, AckEnd, AckLimits},
        wake::LOOK_AGAIN,
    },
    vendors::alumniq::AlumniqClient,
};

/// The role's parts.
pub struct Acknowledger {
    /// The queue.
    pub queue: Queue,
    /// AlumnIQ.
    pub client: Arc<AlumniqClient>,
    /// When a batch is due.
    pub limits: AckLimits,
    /// `alumniq.acknowledge = "on_fetch"`: AlumnIQ marked the changes when it sent them, no PUT is due.
    pub told_on_fetch: bool,
}

impl Acknowledger {
    /// Works until `closing`; a batch that was leased is finished first.
    pub async fn run(&self, bell: &Notify, beat: &Beat, closing: &CancellationToken) {
        while !closing.is_cancelled() {
            let pause = match self.step().await {
                Ok(None) => Duration::ZERO,
                Ok(Some(wait)) => wait.min(LOOK_AGAIN),
                Err(error) => {
                    tracing::warn!(%error, "cannot acknowledge; trying again");
                    tokio::select! {
                        () = closing.cancelled() => {}
                        () = tokio::time::sleep(Duration::from_millis(500)) => {}
                    }
                    continue;
                }
            };
            beat.beat();
            if !pause.is_zero() {
                tokio::select! {
                    () = closing.cancelled() => {}
                    () = bell.notified() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }

    /// One batch at the most. `Some`: there was none, look again after this.
    async fn step(&self) -> Result<Option<Duration>, QueueError> {
        let batch = match self.queue.claim_acknowledgements(&self.limits).await? {
            AckClaim::Wait(wait) => return Ok(Some(wait.unwrap_or(LOOK_AGAIN).max(Duration::from_millis(1)))),
            AckClaim::Batch(batch) => batch,
        };
        let ids: Vec<String> = batch.changes.iter().map(|change| change.change_id.clone()).collect();
        if self.told_on_fetch {
            self.end(&batch, &AckEnd::Accepted, &ids).await?;
        } else {
            self.tell(&batch, &ids).await?;
        }
        Ok(None)
    }

    /// Tells AlumnIQ about `ids`. A list that it refuses is halved until the culprit stands alone.
    fn tell<'a>(
        &'a self,
        batch: &'a AckBatch,
        ids: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<(), QueueError>> + Send + 'a>> {
        Box::pin(async move {
            metrics::ack_batch(ids.len());
            let reply = self.client.acknowledge(ids, None).await;
            match acknowledge::classify(&reply) {
                AckOutcome::Accepted => self.end(batch, &AckEnd::Accepted, ids).await,
                AckOutcome::Rejected { cause, .. } if ids.len() > 1 => {
                    tracing::warn!(count = ids.len(), %cause, "AlumnIQ refuses a list of changeIds: halving it");
                    let (left, right) = acknowledge::split(ids);
                    self.tell(batch, left).await?;
                    self.tell(batch, right).await
                }
                AckOutcome::Rejected { cause, advice } => {
                    self.end(batch, &AckEnd::Rejected { cause, advice }, ids).await
                }
                AckOutcome::Retry { after, cause } => {
                    let reason = jobs::outcome::PauseReason::Outage;
                    self.end(batch, &AckEnd::Pause { delay: after, reason, cause }, ids).await
                }
                AckOutcome::Pause { after, reason, cause } => {
                    self.end(batch, &AckEnd::Pause { delay: after, reason, cause }, ids).await
                }
            }
        })
    }

    async fn end(&self, batch: &AckBatch, end: &AckEnd, ids: &[String]) -> Result<(), QueueError> {
        let settled = loop {
            match self.queue.settle_acknowledgements(batch.token, end, ids).await {
                Ok(settled) => break settled,
                Err(error) => {
                    tracing::warn!(%error, "cannot record an acknowledgement; trying again");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        };
        let now = self.queue.now().await?;
        let mine = batch.changes.iter().filter(|change| ids.contains(&change.change_id));
        for (change, _) in mine.zip(settled).filter(|(_, settled)| *settled) {
            match end {
                AckEnd::Accepted if change.discarded => metrics::changes_discarded(1),
                AckEnd::Accepted => {
                    metrics::changes_acknowledged(1);
                    metrics::end_to_end(Duration::from_millis(now.saturating_sub(change.fetched_at)));
                    tracing::debug!(change_id = %change.change_id, "acknowledged");
                }
                AckEnd::Rejected { cause, .. } => {
                    tracing::warn!(change_id = %change.change_id, %cause, "AlumnIQ refuses this changeId");
                }
                AckEnd::Pause { .. } | AckEnd::Release => {}
            }
        }
        if let AckEnd::Pause { reason, cause, .. } = end {
            tracing::warn!(vendor = %Vendor::Alumniq, reason = reason.as_str(), %cause, "paused");
        }
        Ok(())
    }
}
