//! How AlumnIQ is asked what it lists: each GET is tried again while the trouble may pass, and a capped answer is
//! walked day by day. Whoever reads the feed reads it so: the service, `sync`, `preview` and `reconcile`.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use jobs::{call_log::CallLog, change::FieldNames, destination::Vendor, retry::RetryPolicy};
use queue::{Queue, QueueError, intake::NewChange};
use tokio_util::sync::CancellationToken;

use super::{
    apart::apart,
    arrival, calendar,
    error::FetchError,
    poured::{Poured, pour},
    sorting::{Sorted, Sorter},
};
use crate::{
    observe::metrics,
    vendors::{AlumniqClient, FeedFilter, feed::FeedFault},
};

/// The most rows that `changedSinceDate` answers (AlumnIQ, "Optional Filters"); `changedOnDate` has no cap.
const CAP: u64 = 500;

/// How often one GET is tried.
const GETS: RetryPolicy = RetryPolicy {
    initial: Duration::from_secs(1),
    ceiling: Duration::from_secs(10),
    max_attempts: 4,
};

/// Whose time it is.
#[derive(Clone, Copy)]
pub enum Clock<'a> {
    /// Redis': the only one that the fleet shares.
    Redis(&'a Queue),
    /// This machine's, where there is no Redis.
    Own,
}

impl Clock<'_> {
    /// Milliseconds.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn now(&self) -> Result<u64, QueueError> {
        match self {
            Self::Redis(queue) => queue.now().await,
            Self::Own => Ok(u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()),
        }
    }

    /// The campus day.
    ///
    /// # Errors
    /// Redis does not answer, or its clock is beyond the calendar.
    pub async fn today(&self, timezone: &TimeZone) -> Result<Date, FetchError> {
        Ok(calendar::day(self.now().await?, timezone)?)
    }
}

/// AlumnIQ's feed as it is read.
pub struct FeedReader<'a> {
    client: &'a AlumniqClient,
    rows: RowFormat,
    clock: Clock<'a>,
    /// Whether AlumnIQ marks the rows of each answer as processed.
    marks: bool,
    stop: &'a CancellationToken,
    /// `x-api-key-days-remaining` of the last answer that had it.
    pub key_days: Option<i64>,
}

/// How rows are read.
#[derive(Clone)]
pub struct RowFormat {
    /// The school's names of their fields.
    pub names: Arc<FieldNames>,
    /// Campus time.
    pub timezone: TimeZone,
}

/// What one GET brought.
pub struct Block {
    /// When it began, by the feed's clock and by ours.
    pub fetched_at: u64,
    pub(super) begun: SystemTime,
    /// When its last row was there.
    pub(super) ended: SystemTime,
    pub(super) call_log: CallLog,
    /// How many rows there are.
    pub rows: u64,
    changes: SortedGroups,
}

impl Block {
    /// The next of the rows as changes on their way in, oldest first; `None`: those were all.
    ///
    /// # Errors
    /// See [`SortedGroups::next`].
    pub async fn next(&mut self) -> Result<Option<Vec<NewChange>>, FetchError> {
        self.changes.next().await
    }
}

/// Sorted changes, a group at a time.
pub struct SortedGroups(Option<Sorted>);

impl SortedGroups {
    /// Everything that `sorter` took.
    pub async fn of(sorter: Sorter) -> Self {
        Self(Some(apart(|| sorter.sorted()).await))
    }

    /// The next group; `None` at the end.
    ///
    /// # Errors
    /// The part that was sorted on disk can't be read.
    pub async fn next(&mut self) -> Result<Option<Vec<NewChange>>, FetchError> {
        let Some(mut sorted) = self.0.take() else {
            return Ok(None);
        };
        let (group, sorted) = apart(move || (sorted.group(), sorted)).await;
        let group = group.map_err(FetchError::Sorting)?;
        if group.is_empty() {
            return Ok(None);
        }
        self.0 = Some(sorted);
        Ok(Some(group))
    }
}

impl<'a> FeedReader<'a> {
    /// For looking: nothing is marked.
    pub fn looked_at(
        client: &'a AlumniqClient,
        rows: RowFormat,
        clock: Clock<'a>,
        stop: &'a CancellationToken,
    ) -> Self {
        Self {
            client,
            rows,
            clock,
            marks: false,
            stop,
            key_days: None,
        }
    }

    /// For fetching; `marks`: AlumnIQ marks what it sends.
    pub(super) fn fetched(
        client: &'a AlumniqClient,
        rows: RowFormat,
        queue: &'a Queue,
        marks: bool,
        stop: &'a CancellationToken,
    ) -> Self {
        Self {
            marks,
            ..Self::looked_at(client, rows, Clock::Redis(queue), stop)
        }
    }

    /// One GET, tried again while the trouble may pass.
    ///
    /// # Errors
    /// AlumnIQ gives no rows, the clock stands, or it was told to stop.
    pub async fn rows(&mut self, filter: &FeedFilter) -> Result<Block, FetchError> {
        let mut attempt = 1;
        loop {
            if self.stop.is_cancelled() {
                return Err(FetchError::Stopped);
            }
            let fetched_at = self.clock.now().await?;
            let (begun, call_log) = (SystemTime::now(), CallLog::default());
            let poured = self.pour(filter);
            let poured = CallLog::following(vec![call_log.clone()], poured).await?;
            if let Some(days) = poured.key_days {
                self.key_days = Some(days);
            }
            let error = match poured.rows {
                Ok((rows, sorter)) => {
                    let ended = SystemTime::now();
                    return Ok(Block {
                        fetched_at,
                        begun,
                        ended,
                        call_log,
                        rows,
                        changes: SortedGroups::of(sorter).await,
                    });
                }
                Err(FetchError::Feed(error)) => error,
                Err(error) => return Err(error),
            };
            if error.fault == FeedFault::Throttled {
                metrics::vendor_throttled(Vendor::Alumniq);
            }
            if !error.is_retryable() || attempt == GETS.max_attempts {
                return Err(error.into());
            }
            tracing::info!(%error, attempt, "the feed cannot be fetched; trying again");
            let pause = GETS.delay(attempt, rand::random(), error.after);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return Err(FetchError::Stopped),
            }
            attempt += 1;
        }
    }

    /// Hangs up when told to stop, unless AlumnIQ marks the rows as it sends them: they are waited for, because
    /// nobody can fetch them again.
    async fn pour(&self, filter: &FeedFilter) -> Result<Poured<Sorter>, FetchError> {
        let RowFormat { names, timezone } = self.rows.clone();
        let take = move |sorter: &mut Sorter, row| sorter.push(arrival(row, &names, &timezone));
        let poured = pour(self.client, filter, self.marks, Sorter::default(), take);
        if self.marks {
            return Ok(poured.await);
        }
        tokio::select! {
            poured = poured => Ok(poured),
            () = self.stop.cancelled() => Err(FetchError::Stopped),
        }
    }
}

/// The way through everything since a day: `changedSinceDate`; where that is capped, day by day with
/// `changedOnDate`, oldest first: asking for the same 500 again would starve whatever lies behind them. The capped
/// rows are left alone until their day comes, because the cap may have kept back an older change of one of these
/// people. Rows that AlumnIQ marks while it sends them cannot be left alone: then only days are asked for.
pub struct Walk {
    /// What comes before the days, until it was asked.
    first: Option<FeedFilter>,
    days: std::iter::Peekable<Box<dyn Iterator<Item = Date> + Send>>,
}

impl Walk {
    /// From `first` to `last`, both included. Only days where `last` is not today: `changedSinceDate` has no end.
    pub fn days(first: Date, last: Date) -> Self {
        let days: Box<dyn Iterator<Item = Date> + Send> = Box::new(calendar::days(first, last));
        Self {
            first: None,
            days: days.peekable(),
        }
    }

    /// One GET and no more.
    pub fn once(filter: FeedFilter) -> Self {
        let days: Box<dyn Iterator<Item = Date> + Send> = Box::new(std::iter::empty());
        Self {
            first: Some(filter),
            days: days.peekable(),
        }
    }

    /// From `first` until `today`, as `feed` may ask for it.
    pub fn since(first: Date, today: Date, feed: &FeedReader<'_>) -> Self {
        Self {
            first: (!feed.marks).then_some(FeedFilter::ChangedSince(first)),
            ..Self::days(first, today)
        }
    }

    /// Whether everything was asked for.
    pub fn is_over(&mut self) -> bool {
        self.first.is_none() && self.days.peek().is_none()
    }

    /// The next block that is to be looked at; `None` at the end.
    ///
    /// # Errors
    /// Those of [`FeedReader::rows`].
    pub async fn next(&mut self, feed: &mut FeedReader<'_>) -> Result<Option<Block>, FetchError> {
        if let Some(filter) = self.first.take() {
            let block = feed.rows(&filter).await?;
            let is_whole = !matches!(filter, FeedFilter::ChangedSince(_)) || block.rows < CAP;
            if is_whole {
                while self.days.next().is_some() {}
                return Ok(Some(block));
            }
            tracing::info!(?filter, "the feed is capped: walking it day by day");
        }
        match self.days.next() {
            Some(day) => feed.rows(&FeedFilter::ChangedOn(day)).await.map(Some),
            None => Ok(None),
        }
    }
}
