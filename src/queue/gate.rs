//! Pauses that the whole fleet obeys.

use std::time::Duration;

use jobs::{destination::Vendor, outcome::PauseReason};

use super::{Queue, QueueError, audit::Actor, scripts::or_empty};

/// What a transition made of a gate; a script tells it to one caller in the whole fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PauseChange {
    Paused,
    Resumed,
}

impl PauseChange {
    /// A script's word; empty where it left the gate as it was.
    pub fn read(word: &str) -> Option<Self> {
        match word {
            "paused" => Some(Self::Paused),
            "resumed" => Some(Self::Resumed),
            _ => None,
        }
    }

    /// One line a pause.
    pub fn log(self, destination: Vendor, reason: &str, cause: &str) {
        match self {
            Self::Paused => tracing::warn!(%destination, reason, cause, "paused"),
            Self::Resumed => tracing::info!(%destination, "resumed"),
        }
    }
}

impl Queue {
    /// An operator shuts the gate of `vendor` until [`Queue::resume`].
    pub async fn pause(&self, vendor: Vendor, by: &Actor) -> Result<(), QueueError> {
        self.gate(vendor, "pause", None, "", "", Some(by)).await
    }

    /// Opens the gate, whoever shut it.
    pub async fn resume(&self, vendor: Vendor, by: &Actor) -> Result<(), QueueError> {
        self.gate(vendor, "resume", None, "", "", Some(by)).await
    }

    /// The machine shuts the gate, outside a settle (a fetch that failed, say).
    pub async fn shut(
        &self,
        vendor: Vendor,
        after: Option<Duration>,
        reason: PauseReason,
        cause: &str,
    ) -> Result<(), QueueError> {
        self.gate(vendor, "shut", after, reason.as_str(), cause, None)
            .await
    }

    async fn gate(
        &self,
        vendor: Vendor,
        action: &str,
        after: Option<Duration>,
        reason: &str,
        cause: &str,
        by: Option<&Actor>,
    ) -> Result<(), QueueError> {
        let mut call = self.scripts.gate.prepare_invoke();
        call.arg(vendor.as_str())
            .arg(action)
            .arg(or_empty(after.map(|after| after.as_millis())))
            .arg(reason)
            .arg(cause);
        if let Some(by) = by {
            self.push_hand(&mut call, by.into());
        }
        let turn: String = self.run(&mut call).await?;
        if let Some(turn) = PauseChange::read(&turn) {
            turn.log(vendor, reason, cause);
        }
        Ok(())
    }
}
