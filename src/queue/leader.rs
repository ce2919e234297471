//! One producer at a time, and what it remembers for the next.

use std::{fmt, time::Duration};

use redis::AsyncTypedCommands;

use super::{Queue, QueueError, recent::RecentCall, scripts::or_empty};

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

/// The right to fetch for the fleet. Whoever takes it over gets a newer one, and from then on nothing that was
/// fetched under the older is taken in. It is a fencing token: a process that was stopped for longer than its
/// lead does not know that it was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lead(u64);

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Queue {
    /// Takes or keeps the lead for `ttl`; `None` while another holds it. The lead stays the same one until
    /// another process has had it.
    pub async fn lead(&self, who: &str, ttl: Duration) -> Result<Option<Lead>, QueueError> {
        let mut call = self.scripts.leader.prepare_invoke();
        call.arg("acquire").arg(who).arg(ttl.as_millis() as u64);
        let token: String = self.run(&mut call).await?;
        Ok(token.parse().ok().map(Lead))
    }

    /// Gives the lead up, so that another need not wait for its end.
    pub async fn resign(&self, who: &str) -> Result<(), QueueError> {
        let mut call = self.scripts.leader.prepare_invoke();
        call.arg("release").arg(who).arg(0);
        let _: String = self.run(&mut call).await?;
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

    /// Writes down what a fetch says of itself: fields that are `None` stay as they are, but for the error,
    /// which ends with a good sweep. Under a lead it is [`QueueError::Deposed`] once another has led: what
    /// the newer leader has written is not overwritten by older news.
    pub async fn record_fetch(
        &self,
        lead: Option<Lead>,
        record: &ProducerRecord,
    ) -> Result<(), QueueError> {
        let mut call = self.scripts.producer.prepare_invoke();
        call.arg(or_empty(lead))
            .arg(or_empty(record.last_started))
            .arg(or_empty(record.last_success))
            .arg(or_empty(record.last_sweep))
            .arg(or_empty(record.key_days))
            .arg(or_empty(record.error.as_ref()));
        match self.run(&mut call).await? {
            1 => Ok(()),
            _ => Err(QueueError::Deposed),
        }
    }

    /// Says that this process lives; `info` (JSON) is shown by `status`. `calls`: what it called since, oldest first.
    pub async fn beat(
        &self,
        worker: &str,
        info: &str,
        calls: &[RecentCall],
    ) -> Result<(), QueueError> {
        let mut call = self.scripts.beat.prepare_invoke();
        call.arg(worker).arg(info);
        for recent in calls {
            call.arg(recent.vendor.as_str()).arg(recent.stored(worker));
        }
        self.run(&mut call).await
    }

    /// Says that this process leaves.
    pub async fn leave(&self, worker: &str) -> Result<(), QueueError> {
        self.beat(worker, "", &[]).await
    }
}
