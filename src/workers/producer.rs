//! The producer: fetches what AlumnIQ calls unprocessed and takes it into the queue, each change once.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use jobs::{
    acknowledge::{self, FeedError},
    change::{self, FieldNames},
    outcome::DeadClass,
    retry::RetryPolicy,
};
use serde_json::value::{RawValue, to_raw_value};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Schedule,
    console::Beat,
    metrics,
    queue::{
        Queue, QueueError,
        intake::{Enqueued, NewChange, NewLetter},
        leader::ProducerRecord,
        trouble::Trouble,
    },
    vendors::{AlumniqClient, Filter},
};

/// The most rows that `changedSinceDate` answers (AlumnIQ, "Optional Filters"); `changedOnDate` has no cap.
const CAP: usize = 500;

/// How long a process leads without renewing it.
const LEAD: Duration = Duration::from_secs(15);

/// How often one GET of a fetch is tried.
const GETS: RetryPolicy = RetryPolicy {
    initial: Duration::from_secs(1),
    ceiling: Duration::from_secs(10),
    max_attempts: 4,
};

/// How soon a failed fetch is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// How soon a full Redis is asked again whether it has room.
const ROOM_AGAIN: Duration = Duration::from_secs(3);

/// The role's parts.
pub struct Producer {
    /// The queue.
    pub queue: Queue,
    /// AlumnIQ.
    pub client: Arc<AlumniqClient>,
    /// The school's names of row fields.
    pub names: Arc<FieldNames>,
    /// Campus time.
    pub timezone: TimeZone,
    /// How far a poll looks back.
    pub lookback_days: u32,
    /// When to poll.
    pub schedule: Schedule,
    /// `alumniq.acknowledge = "on_fetch"`.
    pub mark_on_fetch: bool,
    /// This process.
    pub who: String,
}

/// What one fetch brought.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Rows that AlumnIQ sent.
    pub rows: u64,
    /// What the queue made of them.
    pub taken: Enqueued,
    /// Their changes; a change that came twice stands here twice.
    pub change_ids: Vec<String>,
}

/// Why a fetch failed. What it had taken in by then stays.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// AlumnIQ did not give rows.
    #[error("the feed cannot be fetched: {0}")]
    Feed(#[from] FeedError),
    /// Redis did not take them.
    #[error(transparent)]
    Queue(QueueError),
    /// Redis has no room for new changes.
    #[error("{}", Trouble::Full)]
    Full,
    /// A date beyond the calendar.
    #[error("no such date: {0}")]
    Date(#[from] jiff::Error),
}

impl From<QueueError> for FetchError {
    fn from(error: QueueError) -> Self {
        match error.is_full() {
            true => Self::Full,
            false => Self::Queue(error),
        }
    }
}

impl Producer {
    /// Fetches on schedule while this process leads, until `closing`.
    pub async fn run(&self, beat: &Beat, closing: &CancellationToken) {
        while !closing.is_cancelled() {
            let pause = match self.step(closing).await {
                Ok(wait) => {
                    beat.beat();
                    wait.min(LEAD / 3)
                }
                Err(error) => {
                    tracing::debug!(%error, "the producer cannot use Redis; trying again");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = closing.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        // Without the word the next leader waits for the end of our time.
        let _ = self.queue.resign(&self.who).await;
        metrics::leader(false);
    }

    /// Fetches if it leads and a fetch is due; says when to look again.
    async fn step(&self, closing: &CancellationToken) -> Result<Duration, QueueError> {
        let leads = self.queue.lead(&self.who, LEAD).await?;
        metrics::leader(leads);
        if !leads {
            return Ok(LEAD / 3);
        }
        let record = self.queue.producer_record().await?;
        let now = self.queue.now().await?;
        let wait = self.due_in(&record, now);
        if !wait.is_zero() {
            return Ok(wait);
        }
        tokio::select! {
            swept = self.sweep_and_record(record) => swept,
            () = self.keep_leading() => {
                tracing::warn!("another process leads now: the fetch is left to it");
                Ok(Duration::ZERO)
            }
            () = closing.cancelled() => Ok(Duration::ZERO),
        }
    }

    /// Completes when the lead is lost for certain.
    async fn keep_leading(&self) {
        loop {
            tokio::time::sleep(LEAD / 3).await;
            if matches!(self.queue.lead(&self.who, LEAD).await, Ok(false)) {
                return;
            }
        }
    }

    fn due_in(&self, record: &ProducerRecord, now: u64) -> Duration {
        let Some(last) = record.last_started else {
            return Duration::ZERO;
        };
        let due = match record.error {
            Some(_) => last + TRY_AGAIN.as_millis() as u64,
            None => timestamp(last)
                .and_then(|last| self.schedule.next_after(last, &self.timezone))
                .map_or(u64::MAX, |due| {
                    u64::try_from(due.as_millisecond()).unwrap_or_default()
                }),
        };
        Duration::from_millis(due.saturating_sub(now))
    }

    /// Says when to look again.
    async fn sweep_and_record(&self, before: ProducerRecord) -> Result<Duration, QueueError> {
        let started = self.queue.now().await?;
        let last_started = before.last_started;
        let mut pause = Duration::ZERO;
        let mut record = ProducerRecord {
            last_started: Some(started),
            ..before
        };
        match self.sweep(&mut record).await {
            Ok(fetched) => {
                record.last_success = Some(self.queue.now().await?);
                record.last_sweep = Some(started);
                record.error = None;
                tracing::info!(
                    rows = fetched.rows,
                    new = fetched.taken.enqueued,
                    known = fetched.taken.duplicates,
                    "fetched"
                );
            }
            // The queue has logged it; `status` shows it; AlumnIQ is not asked before there is room.
            Err(error @ FetchError::Full) => {
                record.error = Some(error.to_string());
                record.last_started = last_started;
                pause = ROOM_AGAIN;
            }
            Err(FetchError::Queue(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "the fetch failed; trying again in {} s", TRY_AGAIN.as_secs());
                record.error = Some(error.to_string());
            }
        }
        self.queue.record_producer(&record).await?;
        Ok(pause)
    }

    /// The scheduled fetch: as far back as configured, and always to the day before the last one.
    async fn sweep(&self, record: &mut ProducerRecord) -> Result<Fetched, FetchError> {
        let today = self.today().await?;
        let mut since = today.checked_sub(i64::from(self.lookback_days).days())?;
        if let Some(last) = record.last_sweep {
            let last = timestamp(last)?.to_zoned(self.timezone.clone()).date();
            since = since.min(last.yesterday()?);
        }
        self.fetch_since(since, today, record).await
    }

    /// Campus-local, by the fleet's clock.
    async fn today(&self) -> Result<Date, FetchError> {
        let now = self.queue.now().await?;
        Ok(timestamp(now)?.to_zoned(self.timezone.clone()).date())
    }

    /// One fetch by hand. `None`: as the schedule would.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch_once(&self, filter: Option<Filter>) -> Result<Fetched, FetchError> {
        let mut record = self.queue.producer_record().await?;
        let fetched = match filter {
            None => {
                let started = self.queue.now().await?;
                let fetched = self.sweep(&mut record).await?;
                record.last_sweep = Some(started);
                fetched
            }
            Some(Filter::ChangedSince(since)) => {
                let today = self.today().await?;
                self.fetch_since(since, today, &mut record).await?
            }
            Some(filter) => {
                let (fetched_at, rows) = self.rows(&filter, &mut record).await?;
                let mut fetched = Fetched::default();
                self.take_in(fetched_at, rows, &mut fetched).await?;
                fetched
            }
        };
        record.last_success = Some(self.queue.now().await?);
        record.error = None;
        self.queue.record_producer(&record).await?;
        Ok(fetched)
    }

    /// `changedSinceDate`; where that is capped, day by day with `changedOnDate`, oldest first: asking for the
    /// same 500 again would starve whatever lies behind them. The capped rows are left alone until their day
    /// comes, because the cap may have kept back an older change of one of these people. Rows that AlumnIQ
    /// marks while it sends them cannot be left alone: then only days are asked for.
    async fn fetch_since(
        &self,
        since: Date,
        today: Date,
        record: &mut ProducerRecord,
    ) -> Result<Fetched, FetchError> {
        let mut fetched = Fetched::default();
        if !self.mark_on_fetch {
            let (fetched_at, rows) = self.rows(&Filter::ChangedSince(since), record).await?;
            if rows.len() < CAP {
                self.take_in(fetched_at, rows, &mut fetched).await?;
                return Ok(fetched);
            }
            tracing::info!(%since, %today, "the feed is capped: walking it day by day");
        }
        let mut day = since;
        while day <= today {
            let (fetched_at, rows) = self.rows(&Filter::ChangedOn(day), record).await?;
            self.take_in(fetched_at, rows, &mut fetched).await?;
            day = day.tomorrow()?;
        }
        Ok(fetched)
    }

    /// One GET, tried again while the trouble may pass: when it began by Redis' clock, and its rows.
    async fn rows(
        &self,
        filter: &Filter,
        record: &mut ProducerRecord,
    ) -> Result<(u64, Vec<Box<RawValue>>), FetchError> {
        // Rows that there is no room for are better left where they are.
        if self.queue.make_room().await?.is_full() {
            return Err(FetchError::Full);
        }
        let mut attempt = 1;
        loop {
            let fetched_at = self.queue.now().await?;
            let answer = self.client.fetch(filter, self.mark_on_fetch, None).await;
            if let Some(days) = answer.key_days_remaining {
                record.key_days = Some(days);
                metrics::api_key_days_remaining(days);
            }
            match acknowledge::parse_feed(&answer.reply) {
                Ok(rows) => return Ok((fetched_at, rows)),
                Err(error) if error.is_retryable() && attempt < GETS.max_attempts => {
                    tracing::info!(%error, attempt, "the feed cannot be fetched; trying again");
                    tokio::time::sleep(GETS.delay(attempt, rand::random(), error.after)).await;
                    attempt += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes rows into the queue, oldest first: consumers are at work while they come in.
    async fn take_in(
        &self,
        fetched_at: u64,
        rows: Vec<Box<RawValue>>,
        fetched: &mut Fetched,
    ) -> Result<(), FetchError> {
        let count = rows.len() as u64;
        let mut changes: Vec<NewChange> = rows
            .into_iter()
            .map(|row| arrival(row, &self.names, &self.timezone))
            .collect();
        changes.sort_by(|a, b| a.order.cmp(&b.order));
        fetched
            .change_ids
            .extend(changes.iter().map(|change| change.change_id.clone()));
        let taken = loop {
            match self.queue.enqueue(fetched_at, &changes).await {
                Ok(taken) => break taken,
                // AlumnIQ has marked these rows and does not send them again: they wait here for Redis.
                Err(error) if self.mark_on_fetch && error.trouble().is_some() => {
                    tokio::time::sleep(ROOM_AGAIN).await;
                    if error.is_full() {
                        let _ = self.queue.make_room().await;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        metrics::changes_fetched(count);
        metrics::changes_enqueued(taken.enqueued);
        metrics::changes_duplicate(taken.duplicates);
        if let Ok(now) = timestamp(fetched_at) {
            metrics::successful_fetch(now);
        }
        fetched.rows += count;
        fetched.taken.enqueued += taken.enqueued;
        fetched.taken.duplicates += taken.duplicates;
        fetched.taken.listed_again += taken.listed_again;
        Ok(())
    }
}

/// A row as it enters the queue, dead on arrival where it has no usable id, person or time; also used when an
/// undecodable row is replayed. Of a row that is too long only `null` is kept.
pub fn arrival(raw: Box<RawValue>, names: &FieldNames, timezone: &TimeZone) -> NewChange {
    let (row, identity) = match change::parse(raw.get(), names) {
        // Written anew: without the blanks between its parts.
        Ok(row) => (
            to_raw_value(&row).unwrap_or_else(|_| raw.clone()),
            change::identify(&row, names, timezone),
        ),
        Err(error) => (raw.clone(), Err(error)),
    };
    match identity {
        Ok(identity) => NewChange {
            change_id: identity.change_id,
            xid: identity.xid,
            order: identity.order,
            row,
            letter: None,
            replaces: None,
        },
        Err(error) => {
            let id = change::change_id_of(row.get(), names);
            let (class, has_id) = (DeadClass::Undecodable, id.is_some());
            NewChange {
                // Without an id, a name that the same row has again at the next fetch.
                change_id: id.unwrap_or_else(|| {
                    format!(
                        "row-{:.16}",
                        sha1_smol::Sha1::from(row.get()).digest().to_string()
                    )
                }),
                xid: None,
                order: String::new(),
                row: match row.get().len() {
                    ..=change::MAX_ROW => row,
                    _ => RawValue::NULL.to_owned(),
                },
                letter: Some(NewLetter::new(class, error.cause, error.advice, has_id)),
                replaces: None,
            }
        }
    }
}

fn timestamp(ms: u64) -> Result<Timestamp, jiff::Error> {
    Timestamp::from_millisecond(i64::try_from(ms).unwrap_or(i64::MAX))
}
