//! The producer: fetches what AlumnIQ calls unprocessed and takes it into the queue, each change once.
//!
//! # Layout
//!
//! - `calendar`: when a fetch is due, and which days it asks for
//! - [`feed`]: how AlumnIQ is asked; `poured`: one GET, its rows taken as they come; `arrival`: from a row to a change
//! - `sorting`: an answer of any length in the order of its changes, in little memory
//! - `fetch`: what came is taken in; `change_ids`: which changes that were
//! - `upkeep`: the leader checks the queue's data once an hour
//! - `apart`: what computes for long, beside everything that waits

mod apart;
mod arrival;
mod calendar;
mod change_ids;
mod error;
pub mod feed;
mod fetch;
mod poured;
mod sorting;
mod upkeep;

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use jobs::change::FieldNames;
use queue::{
    Queue, QueueError,
    defects::DefectKind,
    intake::NewChange,
    leader::{Lead, Leading, ProducerRecord},
    wake::Bell,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::calendar::{day, days, first_day};
use self::fetch::Fetch;
pub(crate) use self::poured::{Poured, pour};
pub(crate) use self::sorting::Sorter;
pub use self::{
    arrival::arrival, change_ids::ChangeIds, error::FetchError, feed::RowFormat, fetch::Fetched,
};
use crate::{
    config::Schedule,
    observe::{Heartbeat, metrics, traces::Traces},
    vendors::{AlumniqClient, FeedFilter},
};

/// The longest lease of the lead. A `worker.lease` may be long because calls to vendors are: nobody should wait
/// that long for the next fetch.
const LONGEST_LEAD: Duration = Duration::from_secs(15);

/// The longest lead while no fetch is due. It ends when one is: nobody waits longer for a fetch because the leader
/// died at rest.
const LEAD_AT_REST: Duration = Duration::from_secs(60);

/// How soon a process that does not agree with its namespace compares itself again. It is not ready meanwhile.
const MISFIT_AGAIN: Duration = Duration::from_secs(30);

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
    /// `worker.lease`: how long a process leads without renewing it, at most 15 s.
    pub lease: Duration,
    /// This process.
    pub who: String,
    /// Where steps are told.
    pub traces: Traces,
}

/// What is known after a step.
struct Next {
    /// When the next fetch is due, where this process leads.
    due: Option<Instant>,
    /// How long until there may be something to do.
    look: Duration,
}

impl Producer {
    /// Fetches on schedule while this process leads, until `closing`.
    pub async fn run(&self, bell: &Bell, beat: &Heartbeat, closing: &CancellationToken) {
        let (mut due, mut is_heard) = (None, false);
        while !closing.is_cancelled() {
            let pause = match self.step(due, is_heard, beat, closing).await {
                Ok(Next { due: next, look }) => {
                    beat.beat();
                    (due, is_heard) = (next, true);
                    // Until it hears that nobody leads, it asks.
                    match bell.hears() {
                        true => look,
                        false => look.min(self.renew_every()),
                    }
                }
                Err(error @ QueueError::Mismatch(_)) => {
                    metrics::leader(false);
                    tracing::error!(%error, "this process fetches nothing");
                    let _ = self.queue.resign(&self.who).await;
                    (due, is_heard) = (None, false);
                    // The others need time to take the lead. No bell may end this: to resign rings it here, too.
                    let _ = closing
                        .run_until_cancelled(tokio::time::sleep(MISFIT_AGAIN))
                        .await;
                    continue;
                }
                Err(error) => {
                    // Only Redis knows whether it still does.
                    metrics::leader(false);
                    tracing::debug!(%error, "the producer cannot use Redis; trying again");
                    (due, is_heard) = (None, false);
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = closing.cancelled() => {}
                () = bell.wait(pause, || beat.beat()) => {}
            }
        }
        // Without the word the next leader waits for the end of our time.
        let _ = self.queue.resign(&self.who).await;
        metrics::leader(false);
    }

    /// Fetches if this process leads and a fetch is due. `due`: when one is, as far as it was known; `is_heard`: Redis
    /// answered the last time.
    async fn step(
        &self,
        due: Option<Instant>,
        is_heard: bool,
        beat: &Heartbeat,
        closing: &CancellationToken,
    ) -> Result<Next, QueueError> {
        if !is_heard {
            // Before the lead: a process that Redis hears and that hears nothing must not keep renewing it.
            self.queue.ping().await?;
        }
        let ttl = self.lead_until(due);
        let Leading {
            lead,
            ends,
            now,
            record,
        } = self.queue.leading(&self.who, ttl).await?;
        metrics::leader(lead.is_some());
        let Some(lead) = lead else {
            let look = ends.max(Duration::from_millis(1));
            return Ok(Next { due: None, look });
        };
        let wait = calendar::due_in(&self.schedule, &self.timezone, &record, now);
        if !wait.is_zero() {
            return Ok(Next {
                due: Instant::now().checked_add(wait),
                look: wait.min(ttl / 3),
            });
        }
        if record.has_gone_back() {
            tracing::warn!("fetching everything again, because Redis' state went back in time");
            metrics::queue_defects(DefectKind::RolledBack, 1);
        }
        let stop = closing.child_token();
        let ended = tokio::select! {
            ended = self.fetch_and_record(lead, &record, &stop) => ended,
            never = self.keep_leading(lead, &stop, beat) => match never {},
        };
        match ended {
            Ok(wait) if closing.is_cancelled() || !stop.is_cancelled() => {
                let look = wait.min(self.renew_every());
                Ok(Next { due: None, look })
            }
            Ok(_) | Err(QueueError::Deposed) => {
                metrics::leader(false);
                tracing::warn!(
                    "another process leads now, or Redis was emptied: this fetch ends here"
                );
                let look = Duration::ZERO;
                Ok(Next { due: None, look })
            }
            Err(error) => Err(error),
        }
    }

    /// How long to take the lead for.
    fn lead_until(&self, due: Option<Instant>) -> Duration {
        let rest = due.map(|due| due.saturating_duration_since(Instant::now()));
        let shortest = self.lease.min(LONGEST_LEAD);
        rest.unwrap_or_default().clamp(shortest, LEAD_AT_REST)
    }

    /// How the feed's rows are read.
    pub fn rows(&self) -> RowFormat {
        RowFormat {
            names: Arc::clone(&self.names),
            timezone: self.timezone.clone(),
        }
    }

    async fn lead(&self) -> Result<Option<Lead>, QueueError> {
        self.queue
            .lead(&self.who, self.lease.min(LONGEST_LEAD))
            .await
    }

    fn renew_every(&self) -> Duration {
        self.lease.min(LONGEST_LEAD) / 3
    }

    /// Renews the lead; stops the fetch once another has had it. A Redis that does not answer says nothing
    /// about that.
    async fn keep_leading(
        &self,
        lead: Lead,
        stop: &CancellationToken,
        beat: &Heartbeat,
    ) -> Infallible {
        loop {
            tokio::time::sleep(self.renew_every()).await;
            // See step.
            if self.queue.ping().await.is_err() {
                continue;
            }
            match self.lead().await {
                Ok(Some(renewed)) if renewed == lead => beat.beat(),
                Ok(_) => {
                    stop.cancel();
                    return pending().await;
                }
                Err(_) => {}
            }
        }
    }

    /// The scheduled fetch; says when to look again. One that was stopped leaves no record: the next leader begins
    /// it anew.
    async fn fetch_and_record(
        &self,
        lead: Lead,
        before: &ProducerRecord,
        stop: &CancellationToken,
    ) -> Result<Duration, QueueError> {
        let mut pause = Duration::ZERO;
        let mut fetch = Fetch::new(self, Some(lead), stop);
        fetch.record.last_started = Some(self.queue.now().await?);
        match fetch.sweep(before.last_sweep).await {
            Ok(()) => {
                fetch.record.last_success = Some(self.queue.now().await?);
                tracing::info!(
                    rows = fetch.fetched.rows,
                    new = fetch.fetched.taken.enqueued,
                    known = fetch.fetched.taken.duplicates,
                    "fetched"
                );
            }
            // The queue has logged it; `status` shows it; AlumnIQ is not asked before there is room.
            Err(error @ FetchError::Full) => {
                fetch.record.error = Some(error.to_string());
                fetch.record.last_started = None;
                pause = fetch::ROOM_AGAIN;
            }
            Err(FetchError::Stopped) => return Ok(pause),
            Err(FetchError::Queue(error)) => {
                if let QueueError::Mismatch(_) = error {
                    fetch.record.error = Some(error.to_string());
                    self.queue.record_fetch(Some(lead), &fetch.record).await?;
                }
                return Err(error);
            }
            Err(error @ (FetchError::Feed(_) | FetchError::Sorting(_) | FetchError::Date(_))) => {
                let asked = match &error {
                    FetchError::Feed(error) => error.after,
                    _ => None,
                };
                let after = calendar::TRY_AGAIN.max(asked.unwrap_or_default());
                tracing::warn!(%error, "the fetch failed; trying again in {} s", after.as_secs());
                fetch.record.error = Some(error.to_string());
                if let Some(asked) = asked {
                    let asked = u64::try_from(asked.as_millis()).unwrap_or(u64::MAX);
                    fetch.record.not_before = Some(self.queue.now().await?.saturating_add(asked));
                }
            }
        }
        self.queue.record_fetch(Some(lead), &fetch.record).await?;
        Ok(pause)
    }

    /// Takes these changes of a block in, whoever leads: what somebody found missing in the queue.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn take_in(
        &self,
        block: &feed::Block,
        changes: &[NewChange],
    ) -> Result<Fetched, FetchError> {
        let never = CancellationToken::new();
        let mut fetch = Fetch::new(self, None, &never);
        fetch.may_take_in().await?;
        fetch.take_in_some(block, changes).await?;
        Ok(fetch.fetched)
    }

    /// One fetch by hand, whoever leads. `None`: as the schedule would. `named`: it says which changes it brought. `stop`
    /// ends it where nothing is lost by that.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch_once(
        &self,
        filter: Option<FeedFilter>,
        named: bool,
        stop: &CancellationToken,
    ) -> Result<Fetched, FetchError> {
        let mut fetch = Fetch::new(self, None, stop);
        fetch.fetched.change_ids = named.then(ChangeIds::default);
        match filter {
            None => {
                let last_sweep = self.queue.producer_record().await?.last_sweep;
                fetch.sweep(last_sweep).await?;
            }
            Some(FeedFilter::ChangedSince(since)) => {
                let today = calendar::day(self.queue.now().await?, &self.timezone)?;
                fetch.since(since, today).await?;
            }
            Some(filter) => fetch.all_of(&filter).await?,
        }
        fetch.record.last_success = Some(self.queue.now().await?);
        self.queue.record_fetch(None, &fetch.record).await?;
        Ok(fetch.fetched)
    }
}
