//! One fetch: GETs, and the queue takes in what they bring.

use std::time::{Duration, SystemTime};

use jiff::civil::Date;
use jobs::{
    acknowledge::{self, FeedError, FeedFault},
    destination::Vendor,
    retry::RetryPolicy,
};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::{Producer, arrival, calendar};
use crate::{
    metrics,
    queue::{
        QueueError,
        intake::{Enqueued, NewChange, NewLetter, ROWS_A_CALL, Taken},
        leader::{Lead, ProducerRecord},
        trouble::Trouble,
    },
    telemetry::traces::Step,
    trail::{CHANGE, Trail},
    vendors::{FeedReply, Filter},
};

/// The most rows that `changedSinceDate` answers (AlumnIQ, "Optional Filters"); `changedOnDate` has no cap.
const CAP: usize = 500;

/// How often one GET of a fetch is tried.
const GETS: RetryPolicy = RetryPolicy {
    initial: Duration::from_secs(1),
    ceiling: Duration::from_secs(10),
    max_attempts: 4,
};

/// How soon a Redis that is full, or in other trouble, is asked again.
pub(super) const ROOM_AGAIN: Duration = Duration::from_secs(3);

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
    /// Redis did not take them, or another process leads now.
    #[error(transparent)]
    Queue(QueueError),
    /// Redis has no room for new changes.
    #[error("{}", Trouble::Full)]
    Full,
    /// A date beyond the calendar.
    #[error("no such date: {0}")]
    Date(#[from] jiff::Error),
    /// It was told to stop.
    #[error("interrupted")]
    Stopped,
}

impl From<QueueError> for FetchError {
    fn from(error: QueueError) -> Self {
        match error.is_full() {
            true => Self::Full,
            false => Self::Queue(error),
        }
    }
}

/// What one GET brought.
struct Block {
    /// When it began, by Redis' clock and by ours.
    fetched_at: u64,
    begun: SystemTime,
    trail: Trail,
    rows: Vec<Box<RawValue>>,
}

/// A fetch under way.
pub(super) struct Fetch<'a> {
    producer: &'a Producer,
    /// By what right; `None`: by hand.
    lead: Option<Lead>,
    stop: &'a CancellationToken,
    /// What the fleet is to know of it.
    pub record: ProducerRecord,
    /// What it brought so far.
    pub fetched: Fetched,
}

impl<'a> Fetch<'a> {
    pub fn new(producer: &'a Producer, lead: Option<Lead>, stop: &'a CancellationToken) -> Self {
        Self {
            producer,
            lead,
            stop,
            record: ProducerRecord::default(),
            fetched: Fetched::default(),
        }
    }

    /// Everything that is unprocessed, as the schedule asks for it. `last_sweep`: see [`ProducerRecord`].
    pub async fn sweep(&mut self, last_sweep: Option<u64>) -> Result<(), FetchError> {
        let Producer {
            queue,
            timezone,
            lookback_days,
            ..
        } = self.producer;
        let started = queue.now().await?;
        let today = calendar::day(started, timezone)?;
        let first = calendar::first_day(today, *lookback_days, last_sweep, timezone)?;
        self.since(first, today).await?;
        self.record.last_sweep = Some(started);
        Ok(())
    }

    /// `changedSinceDate`; where that is capped, day by day with `changedOnDate`, oldest first: asking for the
    /// same 500 again would starve whatever lies behind them. The capped rows are left alone until their day
    /// comes, because the cap may have kept back an older change of one of these people. Rows that AlumnIQ
    /// marks while it sends them cannot be left alone: then only days are asked for.
    pub async fn since(&mut self, first: Date, today: Date) -> Result<(), FetchError> {
        if !self.producer.mark_on_fetch {
            let block = self.rows(&Filter::ChangedSince(first)).await?;
            if block.rows.len() < CAP {
                return self.take_in(block).await;
            }
            tracing::info!(since = %first, %today, "the feed is capped: walking it day by day");
        }
        for day in calendar::days(first, today) {
            self.all_of(&Filter::ChangedOn(day)).await?;
        }
        Ok(())
    }

    /// What one uncapped filter brings.
    pub async fn all_of(&mut self, filter: &Filter) -> Result<(), FetchError> {
        let block = self.rows(filter).await?;
        self.take_in(block).await
    }

    /// One GET, tried again while the trouble may pass.
    async fn rows(&mut self, filter: &Filter) -> Result<Block, FetchError> {
        if self.stop.is_cancelled() {
            return Err(FetchError::Stopped);
        }
        // Rows that there is no room for are better left where they are.
        if self.producer.queue.make_room().await?.is_full() {
            return Err(FetchError::Full);
        }
        let mut attempt = 1;
        loop {
            let fetched_at = self.producer.queue.now().await?;
            let (begun, trail) = (SystemTime::now(), Trail::default());
            let answer = Trail::following(vec![trail.clone()], self.get(filter)).await?;
            if let Some(days) = answer.key_days_remaining {
                self.record.key_days = Some(days);
            }
            let rows = acknowledge::parse_feed(&answer.reply);
            if let Err(FeedError {
                fault: FeedFault::Throttled,
                ..
            }) = &rows
            {
                metrics::vendor_throttled(Vendor::Alumniq);
            }
            match rows {
                Ok(rows) => {
                    return Ok(Block {
                        fetched_at,
                        begun,
                        trail,
                        rows,
                    });
                }
                Err(error) if error.is_retryable() && attempt < GETS.max_attempts => {
                    tracing::info!(%error, attempt, "the feed cannot be fetched; trying again");
                    let pause = GETS.delay(attempt, rand::random(), error.after);
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.stop.cancelled() => return Err(FetchError::Stopped),
                    }
                    attempt += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Hangs up when told to stop, unless AlumnIQ marks the rows as it sends them: they are waited for, because
    /// nobody can fetch them again.
    async fn get(&self, filter: &Filter) -> Result<FeedReply, FetchError> {
        let marks = self.producer.mark_on_fetch;
        let get = self.producer.client.fetch(filter, marks, None);
        if marks {
            return Ok(get.await);
        }
        tokio::select! {
            answer = get => Ok(answer),
            () = self.stop.cancelled() => Err(FetchError::Stopped),
        }
    }

    /// Takes rows into the queue, oldest first: consumers are at work while they come in.
    async fn take_in(&mut self, mut block: Block) -> Result<(), FetchError> {
        let Producer {
            queue,
            names,
            timezone,
            mark_on_fetch,
            ..
        } = self.producer;
        let fetched_at = block.fetched_at;
        let rows = std::mem::take(&mut block.rows).into_iter();
        let mut changes: Vec<_> = rows.map(|row| arrival(row, names, timezone)).collect();
        changes.sort_by(|a, b| a.order.cmp(&b.order));
        let ended = SystemTime::now();
        // Each call is counted as it is taken in: a fetch that ends between two has still brought the first.
        for part in changes.chunks(ROWS_A_CALL) {
            let told = |change: &NewChange, taken| self.tell(change, taken, &block, ended);
            let taken = if *mark_on_fetch {
                self.hand_over(fetched_at, part, told).await?
            } else {
                queue
                    .enqueue_each(self.lead, fetched_at, part, told)
                    .await?
            };
            let rows = part.len() as u64;
            metrics::changes_fetched(rows);
            metrics::changes_enqueued(taken.enqueued);
            metrics::changes_duplicate(taken.duplicates + taken.listed_again);
            self.fetched.rows += rows;
            self.fetched.taken.enqueued += taken.enqueued;
            self.fetched.taken.duplicates += taken.duplicates;
            self.fetched.taken.listed_again += taken.listed_again;
        }
        let change_ids = changes.into_iter().map(|change| change.change_id);
        self.fetched.change_ids.extend(change_ids);
        Ok(())
    }

    /// Logs and traces what became of one row.
    fn tell(&self, change: &NewChange, taken: Taken, block: &Block, ended: SystemTime) {
        let Producer { who, traces, .. } = self.producer;
        let (change_id, trail) = (&change.change_id, &block.trail);
        let (outcome, letter) = match taken {
            Taken::Known => return,
            Taken::ListedAgain => ("listed again", None),
            Taken::New => match &change.letter {
                None => ("enqueued", None),
                Some(letter) => ("dead", Some(letter)),
            },
        };
        match letter {
            Some(NewLetter { class, cause, .. }) => tracing::warn!(
                target: CHANGE, change_id, worker = who, request_id = trail.request_ids(), %class, cause, "dead letter"
            ),
            None => tracing::info!(
                target: CHANGE, change_id, worker = who, request_id = trail.request_ids(), "{outcome}"
            ),
        }
        traces.step(&Step {
            change_id,
            fetched_at: block.fetched_at,
            name: "fetch",
            destination: None,
            attempt: None,
            outcome,
            failure: letter.map(|letter| letter.cause.as_str()),
            begun: block.begun,
            ended,
            trail,
        });
    }

    /// For rows that AlumnIQ has marked as processed and that are nowhere but in this process. The queue takes
    /// them from a leader that was replaced, too, and a Redis that does not answer is waited for.
    async fn hand_over(
        &self,
        fetched_at: u64,
        changes: &[NewChange],
        mut told: impl FnMut(&NewChange, Taken),
    ) -> Result<Enqueued, QueueError> {
        let mut is_told = false;
        loop {
            let queue = &self.producer.queue;
            let taken = queue.enqueue_each(None, fetched_at, changes, &mut told);
            match taken.await {
                Err(error) if error.trouble().is_some() => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(
                            rows = changes.len(),
                            "Redis does not take rows that AlumnIQ has marked as processed: they are lost if this \
                             process ends before it does; trying again"
                        );
                    }
                    tokio::time::sleep(ROOM_AGAIN).await;
                    if error.is_full() {
                        let _ = self.producer.queue.make_room().await;
                    }
                }
                taken => return taken,
            }
        }
    }
}
