//! Tells AlumnIQ what every destination has taken, in batches.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jobs::{
    acknowledge::{self, AckOutcome},
    destination::Vendor,
    outcome::PauseReason,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    console::Beat,
    metrics,
    queue::{
        Queue, QueueError,
        acknowledgement::{AckBatch, AckClaim, AckEnd, AckLimits},
        wake::LOOK_AGAIN,
    },
    vendors::AlumniqClient,
};

/// An eager acknowledger looks this often: nobody rings when the last change of all is done.
const EAGER: Duration = Duration::from_millis(200);

/// So many ids refused one by one, and none accepted, are no coincidence.
const REFUSED_MEANS_OUTAGE: usize = 4;

/// So many failures on one id alone, the last ones after all others were told, are the id's.
const FAILURES_PROVE: u32 = 3;

const REFUSED_ADVICE: &str =
    "Ask AlumnIQ about this changeId; then replay to tell it again, or discard.";

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
    /// Whether AlumnIQ has accepted any list of this process.
    pub has_accepted: AtomicBool,
}

impl Acknowledger {
    /// Works until `closing`; a batch that was leased is finished first.
    pub async fn run(&self, bell: &Notify, beat: &Beat, closing: &CancellationToken) {
        while !closing.is_cancelled() {
            let pause = match self.step().await {
                Ok(None) => Duration::ZERO,
                Ok(Some(wait)) if self.limits.eager => wait.min(EAGER),
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
            AckClaim::Wait(wait) => {
                return Ok(Some(
                    wait.unwrap_or(LOOK_AGAIN).max(Duration::from_millis(1)),
                ));
            }
            AckClaim::Batch(batch) => batch,
        };
        let ids: Vec<String> = batch
            .changes
            .iter()
            .map(|change| change.change_id.clone())
            .collect();
        if self.told_on_fetch {
            self.end(&batch, &AckEnd::Accepted, &ids).await?;
        } else {
            tokio::select! {
                told = self.tell(&batch, &ids) => told?,
                never = self.keep(&batch, &ids) => match never {},
            }
        }
        Ok(None)
    }

    /// Renews the lease while AlumnIQ takes its time, so that a list of a process that died is soon another's.
    async fn keep(&self, batch: &AckBatch, ids: &[String]) -> Infallible {
        loop {
            tokio::time::sleep(self.limits.lease / 3).await;
            let renewed = self
                .queue
                .renew_acknowledgements(batch.token, self.limits.lease, ids)
                .await;
            if let Err(error) = renewed {
                tracing::warn!(%error, "cannot renew the lease of a list of changeIds");
            }
        }
    }

    /// Tells AlumnIQ about a batch. A list that it refuses is halved until the culprit stands alone, and is
    /// held against it only when AlumnIQ accepts others: an address that refuses everything is an outage.
    async fn tell(&self, batch: &AckBatch, ids: &[String]) -> Result<(), QueueError> {
        let mut parts = vec![(ids, 1)];
        let mut refused: Vec<(String, String)> = Vec::new();
        // A lone id has no fellows to compare with, only what AlumnIQ accepted before.
        let mut accepts = ids.len() == 1 && self.has_accepted.load(Ordering::Relaxed);
        while let Some((part, tries)) = parts.pop() {
            metrics::ack_batch(part.len());
            let reply = self.client.acknowledge(part, None).await;
            let outcome = match acknowledge::classify(&reply) {
                // Alone, a 500 proves nothing.
                AckOutcome::Retry { after, cause } if ids.len() == 1 => AckOutcome::Pause {
                    after,
                    reason: PauseReason::Outage,
                    cause,
                },
                outcome => outcome,
            };
            let cause = match outcome {
                AckOutcome::Accepted => {
                    accepts = true;
                    self.has_accepted.store(true, Ordering::Relaxed);
                    self.end(batch, &AckEnd::Accepted, part).await?;
                    continue;
                }
                AckOutcome::Pause {
                    after,
                    reason,
                    cause,
                } => {
                    let rest = rest(&refused, &parts, part);
                    return self
                        .end(
                            batch,
                            &AckEnd::Pause {
                                delay: after,
                                reason,
                                cause,
                            },
                            &rest,
                        )
                        .await;
                }
                // CFML answers a bad id with 500 as well as with 400: among others only a 500 that comes again
                // and again is the id's.
                AckOutcome::Retry { .. } if part.len() == 1 && tries < FAILURES_PROVE => {
                    parts.insert(0, (part, tries + 1));
                    continue;
                }
                AckOutcome::Retry { cause, .. } | AckOutcome::Rejected { cause } => cause,
            };
            match part {
                [alone] => refused.push((alone.clone(), cause.clone())),
                _ => {
                    tracing::warn!(count = part.len(), %cause, "AlumnIQ refuses a list of changeIds: halving it");
                    let (left, right) = acknowledge::split(part);
                    parts.extend([(right, 1), (left, 1)]);
                }
            }
            if !accepts && refused.len() >= REFUSED_MEANS_OUTAGE.min(ids.len()) {
                let end = AckEnd::Pause {
                    delay: None,
                    reason: PauseReason::Outage,
                    cause,
                };
                return self.end(batch, &end, &rest(&refused, &parts, &[])).await;
            }
        }
        for (id, cause) in refused {
            let advice = REFUSED_ADVICE.to_owned();
            self.end(batch, &AckEnd::Rejected { cause, advice }, &[id])
                .await?;
        }
        Ok(())
    }

    async fn end(&self, batch: &AckBatch, end: &AckEnd, ids: &[String]) -> Result<(), QueueError> {
        let settled = loop {
            match self
                .queue
                .settle_acknowledgements(batch.token, end, ids)
                .await
            {
                Ok(settled) => break settled,
                Err(error) => {
                    tracing::warn!(%error, "cannot record an acknowledgement; trying again");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        };
        let now = self.queue.now().await?;
        let mine = batch
            .changes
            .iter()
            .filter(|change| ids.contains(&change.change_id));
        for (change, _) in mine.zip(settled).filter(|(_, settled)| *settled) {
            match end {
                AckEnd::Accepted if change.discarded => metrics::changes_discarded(1),
                AckEnd::Accepted => {
                    metrics::changes_acknowledged(1);
                    metrics::end_to_end(Duration::from_millis(
                        now.saturating_sub(change.fetched_at),
                    ));
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

/// What a pause leaves untold: what was refused, what was not tried, and the part at hand.
fn rest(refused: &[(String, String)], parts: &[(&[String], u32)], part: &[String]) -> Vec<String> {
    let refused = refused.iter().map(|(id, _)| id);
    refused
        .chain(parts.iter().flat_map(|(part, _)| *part))
        .chain(part)
        .cloned()
        .collect()
}
