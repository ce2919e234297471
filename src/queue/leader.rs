//! One producer at a time, and what it remembers for the next.

use std::time::Duration;

use redis::AsyncTypedCommands;

use super::{Queue, QueueError};

/// What the fleet knows of its fetches. All times in ms by Redis' clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerRecord {
    /// When the last fetch began, good or bad.
    pub last_started: Option<u64>,
    /// When the last good fetch of any kind ended.
    pub last_success: Option<u64>,
    /// When the last good fetch began that left nothing out: the next one must reach back to it.
    pub last_sweep: Option<u64>,
    /// `x-api-key-days-remaining` of the last answer.
    pub key_days: Option<i64>,
    /// Why the last fetch failed; absent after a good one.
    pub error: Option<String>,
}

impl Queue {
    /// Takes or keeps the lead for `ttl`; `false` while another holds it.
    pub async fn lead(&self, who: &str, ttl: Duration) -> Result<bool, QueueError> {
        let mut call = self.scripts.leader.prepare_invoke();
        call.arg("acquire").arg(who).arg(ttl.as_millis() as u64);
        let leads: u8 = self.run(&mut call).await?;
        Ok(leads == 1)
    }

    /// Gives the lead up, so that another need not wait for its end.
    pub async fn resign(&self, who: &str) -> Result<(), QueueError> {
        let mut call = self.scripts.leader.prepare_invoke();
        call.arg("release").arg(who).arg(0);
        let _: u8 = self.run(&mut call).await?;
        Ok(())
    }

    /// What is known of the last fetch.
    pub async fn producer_record(&self) -> Result<ProducerRecord, QueueError> {
        let fields = self
            .connection
            .clone()
            .hgetall(self.keys.of(&["producer"]))
            .await?;
        Ok(ProducerRecord {
            last_started: fields.get("last_started").and_then(|v| v.parse().ok()),
            last_success: fields.get("last_success").and_then(|v| v.parse().ok()),
            last_sweep: fields.get("last_sweep").and_then(|v| v.parse().ok()),
            key_days: fields.get("key_days").and_then(|v| v.parse().ok()),
            error: fields.get("error").cloned(),
        })
    }

    /// Writes it down.
    pub async fn record_producer(&self, record: &ProducerRecord) -> Result<(), QueueError> {
        let fields = [
            ("last_started", record.last_started.map(|v| v.to_string())),
            ("last_success", record.last_success.map(|v| v.to_string())),
            ("last_sweep", record.last_sweep.map(|v| v.to_string())),
            ("key_days", record.key_days.map(|v| v.to_string())),
            ("error", record.error.clone()),
        ];
        let mut call = self.scripts.producer.prepare_invoke();
        for (field, value) in fields {
            if let Some(value) = value {
                call.arg(field).arg(value);
            }
        }
        self.run(&mut call).await
    }

    /// Says that this process lives; `info` (JSON) is shown by `status`.
    pub async fn beat(&self, worker: &str, info: &str) -> Result<(), QueueError> {
        let mut call = self.scripts.beat.prepare_invoke();
        call.arg(worker).arg(info);
        self.run(&mut call).await
    }

    /// Says that this process leaves.
    pub async fn leave(&self, worker: &str) -> Result<(), QueueError> {
        self.beat(worker, "").await
    }
}
