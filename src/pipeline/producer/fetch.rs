//! One fetch: GETs, and the queue takes in what they bring.

use std::time::Duration;

use jiff::civil::Date;
use jobs::call_log::CHANGE;
use queue::{
    QueueError,
    intake::{Enqueued, NewChange, NewLetter, Taken},
    leader::{Lead, ProducerRecord},
};
use tokio_util::sync::CancellationToken;

use super::{
    Producer, calendar,
    change_ids::ChangeIds,
    error::FetchError,
    feed::{Block, FeedReader, Walk},
};
use crate::{
    observe::{metrics, traces::TraceStep},
    vendors::FeedFilter,
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
    /// Their changes, where somebody wants to know: a day may have a million.
    pub change_ids: Option<ChangeIds>,
}

/// A fetch under way.
pub(super) struct Fetch<'a> {
    producer: &'a Producer,
    /// By what right; `None`: by hand.
    lead: Option<Lead>,
    stop: &'a CancellationToken,
    feed: FeedReader<'a>,
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
            feed: FeedReader::fetched(
                &producer.client,
                producer.rows(),
                &producer.queue,
                producer.mark_on_fetch,
                stop,
            ),
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

    /// Everything since a day, as [`Walk`] goes.
    pub async fn since(&mut self, first: Date, today: Date) -> Result<(), FetchError> {
        let mut walk = Walk::since(first, today, &self.feed);
        while !walk.is_over() {
            self.may_take_in().await?;
            let block = walk.next(&mut self.feed).await;
            self.record.key_days = self.feed.key_days;
            if let Some(block) = block? {
                self.take_in(block).await?;
            }
        }
        Ok(())
    }

    /// What one uncapped filter brings.
    pub async fn all_of(&mut self, filter: &FeedFilter) -> Result<(), FetchError> {
        self.may_take_in().await?;
        let block = self.feed.rows(filter).await;
        self.record.key_days = self.feed.key_days;
        self.take_in(block?).await
    }

    /// Rows that there is no room for, or that this process may not take in, are better left where they are.
    pub async fn may_take_in(&self) -> Result<(), FetchError> {
        let queue = &self.producer.queue;
        if let Some(mismatch) = queue.mismatch().await? {
            return Err(QueueError::Mismatch(mismatch).into());
        }
        match queue.make_room().await?.is_full() {
            true => Err(FetchError::Full),
            false => Ok(()),
        }
    }

    async fn take_in(&mut self, mut block: Block) -> Result<(), FetchError> {
        let mut has_begun = false;
        while let Some(changes) = block.next().await? {
            // What AlumnIQ still lists is better fetched anew than waited for; what is in by now is the oldest.
            if has_begun && self.stop.is_cancelled() && !self.producer.mark_on_fetch {
                return Err(FetchError::Stopped);
            }
            self.take_in_some(&block, &changes).await?;
            has_begun = true;
        }
        Ok(())
    }

    /// Takes these changes of a block into the queue, oldest first: consumers are at work while they come in.
    pub async fn take_in_some(
        &mut self,
        block: &Block,
        changes: &[NewChange],
    ) -> Result<(), FetchError> {
        let Producer {
            queue,
            mark_on_fetch,
            ..
        } = self.producer;
        // Counted as they are taken in: a fetch that ends half-way has still brought the first.
        let (mut count, mut still_listed) = (Enqueued::default(), None);
        let told = |change: &NewChange, taken| {
            count.add(taken);
            if taken == Taken::StillListed {
                still_listed.get_or_insert_with(|| change.change_id.clone());
            }
            self.tell(change, taken, block);
        };
        let ended = if *mark_on_fetch {
            self.hand_over(block.fetched_at, changes, told).await
        } else {
            let taken = queue.enqueue_each(self.lead, block.fetched_at, changes, told);
            taken.await.map(drop)
        };
        self.count(count);
        if count.still_listed > 0 {
            tracing::warn!(
                changes = count.still_listed,
                first = still_listed,
                "AlumnIQ lists changes again that it was told of at least twice: it answers the PUT and does not mark \
                 them as processed; ask AlumnIQ's support about these changeIds"
            );
        }
        ended?;
        if let Some(known) = &mut self.fetched.change_ids {
            changes
                .iter()
                .for_each(|change| known.add(&change.change_id));
        }
        Ok(())
    }

    fn count(&mut self, taken: Enqueued) {
        let rows = taken.enqueued + taken.duplicates + taken.listed_again + taken.corrected;
        metrics::changes_fetched(rows);
        metrics::changes_enqueued(taken.enqueued);
        metrics::changes_duplicate(rows - taken.enqueued);
        metrics::changes_still_listed(taken.still_listed);
        metrics::changes_corrected(taken.corrected);
        self.fetched.rows += rows;
        self.fetched.taken.enqueued += taken.enqueued;
        self.fetched.taken.duplicates += taken.duplicates;
        self.fetched.taken.listed_again += taken.listed_again;
        self.fetched.taken.still_listed += taken.still_listed;
        self.fetched.taken.corrected += taken.corrected;
    }

    /// Logs and traces what became of one row.
    fn tell(&self, change: &NewChange, taken: Taken, block: &Block) {
        let Producer { who, traces, .. } = self.producer;
        let (change_id, call_log) = (&change.change_id, &block.call_log);
        let (outcome, letter) = match taken {
            Taken::Known => return,
            Taken::ListedAgain | Taken::StillListed => ("listed again", None),
            Taken::Corrected => ("corrected", None),
            Taken::New => match &change.letter {
                None => ("enqueued", None),
                Some(letter) => ("dead", Some(letter)),
            },
        };
        match letter {
            Some(NewLetter { class, cause, .. }) => tracing::warn!(
                target: CHANGE, change_id, worker = who, request_id = call_log.request_ids(), %class, cause, "dead letter"
            ),
            None => tracing::debug!(
                target: CHANGE, change_id, worker = who, request_id = call_log.request_ids(), "{outcome}"
            ),
        }
        traces.step(&TraceStep {
            change_id,
            fetched_at: block.fetched_at,
            name: "fetch",
            destination: None,
            attempt: None,
            outcome,
            failure: letter.map(|letter| letter.cause.as_str()),
            begun: block.begun,
            ended: block.ended,
            call_log,
        });
    }

    /// For rows that AlumnIQ has marked as processed and that are nowhere but in this process. The queue takes
    /// them from a leader that was replaced, too, and a Redis that does not answer is waited for.
    async fn hand_over(
        &self,
        fetched_at: u64,
        changes: &[NewChange],
        mut told: impl FnMut(&NewChange, Taken),
    ) -> Result<(), QueueError> {
        let (mut done, mut is_told) = (0, false);
        loop {
            let queue = &self.producer.queue;
            let rest = &changes[done..];
            let taken = queue.enqueue_each(None, fetched_at, rest, |change, taken| {
                done += 1;
                told(change, taken);
            });
            match taken.await {
                Err(error)
                    if error.trouble().is_some() || matches!(error, QueueError::Mismatch(_)) =>
                {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(
                            rows = changes.len() - done,
                            %error,
                            "Redis does not take rows that AlumnIQ has marked as processed: they are lost if this \
                             process ends before it does; trying again"
                        );
                    }
                    tokio::time::sleep(ROOM_AGAIN).await;
                    if error.is_full() {
                        let _ = self.producer.queue.make_room().await;
                    }
                }
                taken => return taken.map(drop),
            }
        }
    }
}
