//! One producer at a time, and what it remembers for the next.

use std::{collections::HashMap, fmt, time::Duration};

use redis::AsyncTypedCommands;

use super::{Queue, QueueError, scripts::or_empty};

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
    /// When it was noticed that Redis' state went back in time; absent once a sweep that began later left nothing out.
    pub rolled_back: Option<u64>,
    /// Before this AlumnIQ asked not to be fetched from again (`Retry-After`); absent after a good one.
    pub not_before: Option<u64>,
}

impl ProducerRecord {
    /// Whether Redis' state went back in time and nothing was fetched since.
    pub fn has_gone_back(&self) -> bool {
        self.rolled_back
            .is_some_and(|noticed| self.last_started.is_none_or(|last| last < noticed))
    }

    fn read(fields: &HashMap<String, String>) -> Self {
        let number = |field: &str| fields.get(field)?.parse().ok();
        Self {
            last_started: number("last_started"),
            last_success: number("last_success"),
            last_sweep: number("last_sweep"),
            key_days: fields.get("key_days").and_then(|days| days.parse().ok()),
            error: fields.get("error").cloned(),
            rolled_back: number("rolled_back"),
            not_before: number("not_before"),
        }
    }
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

/// Who leads, and what is known of the last fetch, at one moment.
#[derive(Debug, Clone)]
pub struct Leading {
    /// The lead, if the process that asked has it.
    pub lead: Option<Lead>,
    /// Otherwise: how long the other one has it if it is not heard of again.
    pub ends: Duration,
    /// When this was.
    pub now: u64,
    /// What is known.
    pub record: ProducerRecord,
}

/// Token, ms until the other's lead ends, now, the record.
type RawLeading = (String, i64, u64, HashMap<String, String>);

impl Queue {
    /// Takes or keeps the lead for `ttl`; `None` while another holds it. The lead stays the same one until
    /// another process has had it.
    pub async fn lead(&self, who: &str, ttl: Duration) -> Result<Option<Lead>, QueueError> {
        Ok(self.leading(who, ttl).await?.lead)
    }

    /// The same, and what a producer has to know besides.
    pub async fn leading(&self, who: &str, ttl: Duration) -> Result<Leading, QueueError> {
        let mut call = self.scripts.leader.prepare_invoke();
        call.arg("acquire").arg(who).arg(ttl.as_millis() as u64);
        let (token, ends, now, record): RawLeading = self.run(&mut call).await?;
        Ok(Leading {
            lead: token.parse().ok().map(Lead),
            ends: Duration::from_millis(u64::try_from(ends).unwrap_or_default()),
            now,
            record: ProducerRecord::read(&record),
        })
    }

    /// Gives the lead up, so that another need not wait for its end.
    pub async fn resign(&self, who: &str) -> Result<(), QueueError> {
        let mut call = self.scripts.leader.prepare_invoke();
        call.arg("release").arg(who).arg(0);
        let _: RawLeading = self.run(&mut call).await?;
        Ok(())
    }

    /// What is known of the last fetch.
    pub async fn producer_record(&self) -> Result<ProducerRecord, QueueError> {
        let fields = self
            .connection
            .clone()
            .hgetall(self.keys.of(&["producer"]))
            .await?;
        Ok(ProducerRecord::read(&fields))
    }

    /// Writes down what a fetch says of itself: fields that are `None` stay as they are, but for the error
    /// and `not_before`, which end with a good sweep. Under a lead it is [`QueueError::Deposed`] once another has led: what
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
            .arg(or_empty(record.error.as_ref()))
            .arg(or_empty(record.not_before));
        match self.run(&mut call).await? {
            1 => Ok(()),
            _ => Err(QueueError::Deposed),
        }
    }
}
