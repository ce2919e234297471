//! Batches of changes that every destination has taken, on their way to AlumnIQ's PUT.

use std::time::Duration;

use jobs::outcome::PauseReason;

use super::{Queue, QueueError};

/// A leased batch.
#[derive(Debug)]
pub struct AckBatch {
    /// The fencing token of the whole batch.
    pub token: u64,
    /// The changes.
    pub changes: Vec<ToAcknowledge>,
}

/// A change that may be acknowledged.
#[derive(Debug, Clone)]
pub struct ToAcknowledge {
    /// Which.
    pub change_id: String,
    /// When it was fetched, ms.
    pub fetched_at: u64,
    /// Whether an operator gave it up at a destination.
    pub discarded: bool,
}

/// A batch, or when to look again (`None`: not before somebody calls).
#[derive(Debug)]
pub enum AckClaim {
    /// Tell AlumnIQ about these.
    Batch(AckBatch),
    /// Nothing yet.
    Wait(Option<Duration>),
}

/// When a batch is due.
#[derive(Debug, Clone, Copy)]
pub struct AckLimits {
    /// The most ids in one PUT.
    pub max_batch: usize,
    /// The longest that an id waits for fellows.
    pub max_wait: Duration,
    /// Do not wait when nothing else is in flight.
    pub eager: bool,
    /// How long a batch is leased without renewal.
    pub lease: Duration,
}

/// The end of (a part of) a batch.
#[derive(Debug, Clone)]
pub enum AckEnd {
    /// AlumnIQ was told.
    Accepted,
    /// AlumnIQ refuses these ids.
    Rejected {
        /// Why.
        cause: String,
        /// What to do.
        advice: String,
    },
    /// AlumnIQ is down.
    Pause {
        /// At least this long; `None` lets the gate choose.
        delay: Option<Duration>,
        /// Which kind.
        reason: PauseReason,
        /// Why.
        cause: String,
    },
    /// Given back as it was.
    Release,
}

impl Queue {
    /// Leases a batch once it is full, old enough, or (eager) the last.
    pub async fn claim_acknowledgements(&self, limits: &AckLimits) -> Result<AckClaim, QueueError> {
        let mut call = self.scripts.ack_claim.prepare_invoke();
        call.arg(limits.max_batch)
            .arg(limits.max_wait.as_millis() as u64)
            .arg(limits.lease.as_millis() as u64)
            .arg(u8::from(limits.eager));
        let (wait, token, batch): (i64, u64, Vec<(String, String, String)>) =
            self.run(&mut call).await?;
        if batch.is_empty() {
            return Ok(AckClaim::Wait(
                u64::try_from(wait).ok().map(Duration::from_millis),
            ));
        }
        let changes = batch
            .into_iter()
            .map(|(change_id, fetched, discarded)| ToAcknowledge {
                change_id,
                fetched_at: fetched.parse().unwrap_or_default(),
                discarded: discarded == "1",
            })
            .collect();
        Ok(AckClaim::Batch(AckBatch { token, changes }))
    }

    /// Prolongs the lease of these ids, where it is still held.
    pub async fn renew_acknowledgements(
        &self,
        token: u64,
        lease: Duration,
        ids: &[String],
    ) -> Result<(), QueueError> {
        let mut call = self.scripts.ack_renew.prepare_invoke();
        call.arg(token).arg(lease.as_millis() as u64).arg(ids);
        self.run(&mut call).await
    }

    /// Ends the lease of these ids. Answers in order whether each was settled.
    pub async fn settle_acknowledgements(
        &self,
        token: u64,
        end: &AckEnd,
        ids: &[String],
    ) -> Result<Vec<bool>, QueueError> {
        let (kind, detail, delay, word) = match end {
            AckEnd::Accepted => ("accepted", "", None, ""),
            AckEnd::Rejected { cause, advice } => {
                ("rejected", cause.as_str(), None, advice.as_str())
            }
            AckEnd::Pause {
                delay,
                reason,
                cause,
            } => ("pause", cause.as_str(), *delay, reason.as_str()),
            AckEnd::Release => ("release", "", None, ""),
        };
        let mut call = self.scripts.ack_settle.prepare_invoke();
        call.arg(token)
            .arg(kind)
            .arg(self.settings.keep.as_millis() as u64)
            .arg(self.settings.keep_payload.as_millis() as u64)
            .arg(detail)
            .arg(
                delay
                    .map(|delay| delay.as_millis().to_string())
                    .unwrap_or_default(),
            )
            .arg(word);
        for id in ids {
            call.arg(id);
        }
        let verdicts: String = self.run(&mut call).await?;
        Ok(verdicts.chars().map(|verdict| verdict == 's').collect())
    }
}
