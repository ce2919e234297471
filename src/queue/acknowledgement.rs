//! Lists of changes that every destination has taken, on their way to AlumnIQ's PUT: in the order in which they
//! were done, and one list at a time in the whole fleet.

use std::time::Duration;

use jobs::{destination::Vendor, outcome::PauseReason};

use super::{Queue, QueueError, gate::PauseChange, scripts::or_empty};

/// A leased list.
#[derive(Debug)]
pub struct AckBatch {
    /// The fencing token of the whole list.
    pub token: u64,
    /// The changes, in the order in which AlumnIQ is to be told.
    pub changes: Vec<ToAcknowledge>,
    /// A changeId that AlumnIQ accepted before, if it accepted any.
    pub told: Option<String>,
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

/// A list, or when to look again (`None`: not before somebody calls).
#[derive(Debug)]
pub enum AckClaim {
    /// Tell AlumnIQ about these.
    Batch(AckBatch),
    /// Nothing yet.
    Wait(Option<Duration>),
}

/// When a list is due.
#[derive(Debug, Clone, Copy)]
pub struct AckLimits {
    /// The most ids in one PUT.
    pub max_batch: usize,
    /// The longest that an id waits for fellows.
    pub max_wait: Duration,
    /// Do not wait when nothing else is in flight.
    pub eager: bool,
    /// How long a list is leased without renewal.
    pub lease: Duration,
}

/// What became of some changes of a list.
#[derive(Debug, Clone)]
pub enum AckEnd {
    /// AlumnIQ was told.
    Accepted,
    /// AlumnIQ refuses these ids, and accepts others.
    Rejected {
        /// Why.
        cause: String,
        /// What to do.
        advice: String,
    },
}

/// AlumnIQ takes no list at present.
#[derive(Debug, Clone)]
pub struct AckPause {
    /// At least this long; `None` lets the gate choose.
    pub delay: Option<Duration>,
    /// Which kind.
    pub reason: PauseReason,
    /// Why.
    pub cause: String,
}

impl Queue {
    /// Leases a list once it is full, old enough, or (eager) the last; none while another one is out.
    pub async fn claim_acknowledgements(&self, limits: &AckLimits) -> Result<AckClaim, QueueError> {
        let mut call = self.scripts.ack_claim.prepare_invoke();
        call.arg(limits.max_batch)
            .arg(limits.max_wait.as_millis() as u64)
            .arg(limits.lease.as_millis() as u64)
            .arg(u8::from(limits.eager));
        let (wait, token, batch, told): (i64, u64, Vec<(String, String, String)>, String) =
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
        Ok(AckClaim::Batch(AckBatch {
            token,
            changes,
            told: Some(told).filter(|told| !told.is_empty()),
        }))
    }

    /// Prolongs the lease of a list. `false`: it is lost.
    pub async fn renew_acknowledgements(
        &self,
        token: u64,
        lease: Duration,
    ) -> Result<bool, QueueError> {
        let mut call = self.scripts.ack_renew.prepare_invoke();
        call.arg(token).arg(lease.as_millis() as u64);
        self.run(&mut call).await
    }

    /// Takes these changes off the list. Answers in order whether each was settled: not where the list was lost.
    pub async fn settle_acknowledgements(
        &self,
        token: u64,
        end: &AckEnd,
        ids: &[String],
    ) -> Result<Vec<bool>, QueueError> {
        let (kind, cause, advice) = match end {
            AckEnd::Accepted => ("accepted", "", ""),
            AckEnd::Rejected { cause, advice } => ("rejected", cause.as_str(), advice.as_str()),
        };
        self.end_acknowledgements(token, kind, None, (cause, advice), ids)
            .await
    }

    /// Gives back what is left of a list; every change keeps its place. With a pause, the fleet holds off.
    /// `false`: the list was lost, nothing was changed.
    pub async fn return_acknowledgements(
        &self,
        token: u64,
        pause: Option<&AckPause>,
    ) -> Result<bool, QueueError> {
        let (kind, delay, words) = match pause {
            Some(pause) => (
                "pause",
                pause.delay,
                (pause.cause.as_str(), pause.reason.as_str()),
            ),
            None => ("release", None, ("", "")),
        };
        let held = self
            .end_acknowledgements(token, kind, delay, words, &[])
            .await?;
        Ok(held == [true])
    }

    async fn end_acknowledgements(
        &self,
        token: u64,
        kind: &str,
        delay: Option<Duration>,
        (detail, word): (&str, &str),
        ids: &[String],
    ) -> Result<Vec<bool>, QueueError> {
        let mut call = self.scripts.ack_settle.prepare_invoke();
        call.arg(token)
            .arg(kind)
            .arg(self.settings.keep.as_millis() as u64)
            .arg(self.settings.keep_payload.as_millis() as u64)
            .arg(detail)
            .arg(or_empty(delay.map(|delay| delay.as_millis())))
            .arg(word)
            .arg(ids);
        let (verdicts, turn): (String, String) = self.run(&mut call).await?;
        if let Some(turn) = PauseChange::read(&turn) {
            turn.log(Vendor::Alumniq, word, detail);
        }
        Ok(verdicts.chars().map(|verdict| verdict == 's').collect())
    }
}
