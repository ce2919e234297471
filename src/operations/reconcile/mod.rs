//! The books against AlumnIQ's feed: do both agree on what is done?
//!
//! AlumnIQ is asked day by day, and what it lists is held against the queue. What differs is looked at again before
//! it is reported, because a fleet works meanwhile. In memory stand a number of 8 bytes of each id that AlumnIQ listed,
//! and of one day at a time what differs, with its rows where they are to be taken in.
//!
//! # Layout
//!
//! - `day`: one day of the feed, and what is mended of it
//! - `gone`: what the queue waits for and AlumnIQ no longer lists
//! - `report`: what comes out

mod day;
mod gone;
mod report;

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    time::Duration,
};

use jiff::civil::Date;
use jobs::destination::Vendor;
use queue::{audit::Actor, leader::ProducerRecord};
use tokio_util::sync::CancellationToken;

pub use self::report::{Applied, DifferingChanges, FeedSummary, Fixed, Range, Reconciled};
use super::Operations;
use crate::pipeline::producer::{
    FetchError, days,
    feed::{Clock, FeedReader},
    first_day,
};

/// How long after `acknowledge.max_wait` a change should have been told: a PUT may take a while, and its holder die.
const GRACE: Duration = Duration::from_secs(60);

/// How long a running fleet needs to finish what was caught half-way.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Which campus days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Days {
    /// As far back as the next poll.
    AsAPoll,
    /// One.
    On(Date),
    /// From one to another, or to today; both included.
    Since(Date, Option<Date>),
}

/// Days that do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Muddled {
    /// The one that is too much, or wrong.
    pub field: &'static str,
    /// Why, for people.
    pub problem: &'static str,
}

impl Days {
    /// As people name them.
    ///
    /// # Errors
    /// They do not go together.
    pub fn of(on: Option<Date>, since: Option<Date>, until: Option<Date>) -> Result<Self, Muddled> {
        let muddled = |field, problem| Err(Muddled { field, problem });
        match (on, since, until) {
            (Some(_), Some(_), _) => muddled("since", "it does not go with `on`"),
            (Some(_), _, Some(_)) => muddled("until", "it does not go with `on`"),
            (None, None, Some(_)) => muddled("until", "it needs `since`"),
            (None, Some(since), Some(until)) if until < since => {
                muddled("until", "it is before `since`")
            }
            (Some(on), None, None) => Ok(Self::On(on)),
            (None, Some(since), until) => Ok(Self::Since(since, until)),
            (None, None, None) => Ok(Self::AsAPoll),
        }
    }
}

/// A comparison under way.
struct Look<'a> {
    operations: &'a Operations,
    feed: FeedReader<'a>,
    /// Who mends what is safe to mend.
    fix: Option<&'a Actor>,
    /// The last fetch, as it was at the beginning.
    fetched: ProducerRecord,
    began: u64,
    listed: Listed,
    report: Reconciled,
}

impl Operations {
    /// Compares, and mends what is safe where somebody (`fix`) wants that: what is unknown here is taken in as a fetch
    /// does, and AlumnIQ is told again of what it should know.
    ///
    /// # Errors
    /// AlumnIQ or Redis does not answer.
    pub(super) async fn reconcile(
        &self,
        days: Days,
        fix: Option<&Actor>,
    ) -> Result<Reconciled, FetchError> {
        let never = CancellationToken::new();
        let clock = Clock::Redis(self.queue());
        let fetched = self.queue().producer_record().await?;
        let range = self.range(days, &fetched).await?;
        let mut look = Look {
            operations: self,
            feed: FeedReader::looked_at(&self.producer.client, self.producer.rows(), clock, &never),
            fix,
            fetched,
            began: clock.now().await?,
            listed: Listed::default(),
            report: Reconciled::of(range),
        };
        look.go().await?;
        Ok(look.report)
    }

    async fn range(&self, days: Days, fetched: &ProducerRecord) -> Result<Range, FetchError> {
        let today = Clock::Redis(self.queue()).today(self.timezone()).await?;
        Ok(match days {
            Days::On(day) => Range { from: day, to: day },
            Days::Since(from, until) => Range {
                from,
                to: until.unwrap_or(today),
            },
            Days::AsAPoll => Range {
                from: first_day(
                    today,
                    self.producer.lookback_days,
                    fetched.last_sweep,
                    self.timezone(),
                )?,
                to: today,
            },
        })
    }
}

impl Look<'_> {
    async fn go(&mut self) -> Result<(), FetchError> {
        // First: what is taken in goes into a queue that is whole.
        let producer = &self.operations.producer;
        self.report.defects = producer.find_defects(self.fix.is_some()).await?;
        let Range { from, to } = self.report.range;
        self.compare(days(from, to)).await?;
        self.find_gone().await?;
        self.find_untold().await?;
        let status = self.operations.queue().status().await?;
        self.report.conclude(&status, self.fix.is_some());
        Ok(())
    }

    /// What every destination has, and what AlumnIQ should have been told of by now.
    async fn find_untold(&mut self) -> Result<(), FetchError> {
        let queue = self.operations.queue();
        let late = (self.operations.config.max_wait + GRACE).as_millis() as u64;
        let before = queue.now().await?.saturating_sub(late);
        let waiting = queue.late_acknowledgements(before, report::SHOWN).await?;
        let refused = queue.refused_acknowledgements(report::SHOWN).await?;
        let applied = &mut self.report.applied_not_acknowledged;
        applied.waiting = waiting.count;
        // What was told again by now is no letter any more.
        applied.ack_rejected = refused.count;
        applied.add(waiting.count, waiting.change_ids);
        applied.add(refused.count, refused.change_ids);
        Ok(())
    }

    /// Tells AlumnIQ again of changeIds that it refused and still lists: every destination has them.
    async fn tell_again(&mut self, refused: Vec<String>) -> Result<(), FetchError> {
        let Some(by) = self.fix.filter(|_| !refused.is_empty()) else {
            return Ok(());
        };
        let letters: Vec<_> = refused
            .iter()
            .map(|id| (Vendor::Alumniq, id.clone()))
            .collect();
        let handled = self.operations.replay(&letters, false, by).await?;
        self.report.fixed.told_again += handled.handled;
        let applied = &mut self.report.applied_not_acknowledged;
        applied.told_again = self.report.fixed.told_again;
        applied.add(handled.handled, refused);
        Ok(())
    }
}

/// Which changes AlumnIQ listed. Two of them have the same number once in 2^64 pairs: then a change that is gone is
/// not missed this time.
#[derive(Default)]
struct Listed {
    numbers: HashSet<u64>,
    hasher: RandomState,
}

impl Listed {
    /// Says whether it is new.
    fn add(&mut self, change_id: &str) -> bool {
        self.numbers.insert(self.hasher.hash_one(change_id))
    }

    fn has(&self, change_id: &str) -> bool {
        self.numbers.contains(&self.hasher.hash_one(change_id))
    }
}
