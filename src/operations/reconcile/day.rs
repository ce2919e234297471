//! One day of the feed, held against the queue.

use std::{collections::HashSet, time::Duration};

use jiff::{
    Timestamp,
    civil::Date,
    tz::{AmbiguousOffset, TimeZone},
};
use jobs::outcome::DeadClass;
use queue::{
    audit::{AuditAction, NAMED, Note},
    intake::NewChange,
    standing::{ChangeLookup, Standing},
};
use serde_json::value::RawValue;

use super::{LOOK_AGAIN, Listed, Look};
use crate::{
    operations::preview::asked,
    pipeline::producer::{FetchError, day, feed::Block},
    vendors::FeedFilter,
};

/// How often at the most a fleet that is catching up is looked at again.
const LOOKS: u32 = 60;

/// How often AlumnIQ is asked at the least: by the schedule, or by a daily `sync`.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// So much later a fetch may be.
const LATE: Duration = Duration::from_secs(15 * 60);

/// How far AlumnIQ's clock may be behind or ahead of Redis'.
const CLOCKS_DIFFER: u64 = 60_000;

/// What the first look at all days found.
#[derive(Default)]
pub(super) struct Suspects {
    /// The days with differences, and which changes differ.
    days: Vec<(Date, HashSet<String>)>,
    /// Those that were unknown.
    unknown: Vec<ChangeLookup>,
}

/// What AlumnIQ lists of a day.
pub(super) struct FeedDay {
    date: Date,
    block: Block,
    /// What differs, and how.
    odd: Vec<(NewChange, Standing)>,
}

impl Suspects {
    fn add(&mut self, day: &FeedDay) {
        if day.odd.is_empty() {
            return;
        }
        let unknown = day.odd.iter().filter(|(_, standing)| is_unknown(standing));
        self.unknown
            .extend(unknown.map(|(change, _)| asked(change)));
        let ids = day.odd.iter().map(|(change, _)| change.change_id.clone());
        self.days.push((day.date, ids.collect()));
    }
}

impl FeedDay {
    /// One GET; of its rows those that differ, and are among the `suspects`, where there are any.
    async fn once(
        look: &mut Look<'_>,
        date: Date,
        suspects: Option<&HashSet<String>>,
        rows: &mut u64,
    ) -> Result<Self, FetchError> {
        let operations = look.operations;
        let mut block = look.feed.rows(&FeedFilter::ChangedOn(date)).await?;
        *rows = block.rows;
        let (mut seen, mut odd) = (Listed::default(), Vec::new());
        while let Some(mut changes) = block.next().await? {
            for change in &changes {
                look.listed.add(&change.change_id);
            }
            if let Some(suspects) = suspects {
                changes.retain(|change| suspects.contains(&change.change_id));
            }
            changes.retain(|change| seen.add(&change.change_id));
            let asked: Vec<ChangeLookup> = changes.iter().map(asked).collect();
            let standing = operations.queue().standing(&asked).await?;
            for (mut change, standing) in changes.into_iter().zip(standing) {
                if is_odd(standing, block.fetched_at) {
                    if look.fix.is_none() {
                        change.row = RawValue::NULL.to_owned();
                    }
                    odd.push((change, standing));
                }
            }
        }
        Ok(Self { date, odd, block })
    }

    /// Whether the next poll is still to bring it: it was made after the last one began.
    fn is_to_be_polled(&self, look: &Look<'_>, change: &NewChange) -> bool {
        let producer = &look.operations.producer;
        let Some(last) = look.fetched.last_sweep else {
            return false;
        };
        let pace = producer.schedule.longest_interval().max(A_DAY) + LATE;
        if look.began.saturating_sub(last) > pace.as_millis() as u64 {
            return false;
        }
        match change.order.get(..15).and_then(|ms| ms.parse::<u64>().ok()) {
            Some(ms) if ms > 0 => latest(ms, &producer.timezone) + CLOCKS_DIFFER >= last,
            // A row that does not say when: by its day.
            _ => day(last, &producer.timezone).is_ok_and(|last| self.date >= last),
        }
    }
}

/// When (ms) a change that is ordered by `ms` was made at the latest. All times that the campus's clock shows twice are
/// ordered by the first instant of that stretch, and it lasts twice as long as the clock is turned back.
fn latest(ms: u64, timezone: &TimeZone) -> u64 {
    let turned_back = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map(|at| {
            timezone
                .to_ambiguous_timestamp(timezone.to_datetime(at))
                .offset()
        });
    match turned_back {
        Some(AmbiguousOffset::Fold { before, after }) => {
            let seconds = before.seconds().abs_diff(after.seconds());
            ms + 2_000 * u64::from(seconds)
        }
        _ => ms,
    }
}

/// Whether a change that AlumnIQ lists should stand otherwise here.
fn is_odd(standing: Standing, fetched_at: u64) -> bool {
    match standing {
        Standing::Unknown { .. } => true,
        Standing::Closed { told, at, .. } => !told || at < fetched_at,
        Standing::Open { at_alumniq, .. } => at_alumniq == Some(DeadClass::AckRejected),
        Standing::ToAcknowledge => false,
    }
}

fn is_unknown(standing: &Standing) -> bool {
    matches!(standing, Standing::Unknown { .. })
}

impl Look<'_> {
    /// Looks at every day, and a second time at those where the first look found a difference: a fetch may be under
    /// way. It is waited for once, however many days differ.
    pub(super) async fn compare(
        &mut self,
        days: impl Iterator<Item = Date>,
    ) -> Result<(), FetchError> {
        let mut suspects = Suspects::default();
        for date in days {
            let mut rows = 0;
            let first = FeedDay::once(self, date, None, &mut rows).await?;
            self.report.feed.rows += rows;
            suspects.add(&first);
        }
        if suspects.days.is_empty() {
            return Ok(());
        }
        self.catch_up(suspects.unknown).await?;
        for (date, suspects) in suspects.days {
            let day = FeedDay::once(self, date, Some(&suspects), &mut 0).await?;
            self.judge(day).await?;
        }
        Ok(())
    }

    /// Waits for as long as a fleet takes in what was unknown.
    async fn catch_up(&self, mut unknown: Vec<ChangeLookup>) -> Result<(), FetchError> {
        for _ in 0..LOOKS {
            let before = unknown.len();
            tokio::time::sleep(LOOK_AGAIN).await;
            if unknown.is_empty() {
                break;
            }
            let standing = self.operations.queue().standing(&unknown).await?;
            let mut standing = standing.iter();
            unknown.retain(|_| standing.next().is_some_and(is_unknown));
            if unknown.is_empty() || unknown.len() >= before {
                break;
            }
        }
        Ok(())
    }

    /// Sorts what differs into the report, and mends it where somebody wants that.
    async fn judge(&mut self, mut day: FeedDay) -> Result<(), FetchError> {
        let (mut mend, mut refused) = (Vec::new(), Vec::new());
        let odd = std::mem::take(&mut day.odd);
        for (change, standing) in odd {
            let id = &change.change_id;
            match standing {
                Standing::Unknown { .. } if day.is_to_be_polled(self, &change) => {
                    self.report.not_yet_polled += 1;
                }
                Standing::Unknown { .. } => {
                    self.report.unknown_here.add(id);
                    mend.push(change);
                }
                Standing::Closed { told: true, .. } => {
                    self.report.acknowledged_but_listed.add(id);
                    mend.push(change);
                }
                Standing::Closed { told: false, .. } => {
                    let applied = &mut self.report.applied_not_acknowledged;
                    applied.discarded_untold += 1;
                    applied.add(1, vec![id.clone()]);
                }
                Standing::Open { .. } => refused.push(id.clone()),
                Standing::ToAcknowledge => {}
            }
        }
        self.mend(&day, mend).await?;
        self.tell_again(refused).await
    }

    /// What is unknown is taken in as a fetch does; of what was acknowledged AlumnIQ is told again.
    async fn mend(&mut self, day: &FeedDay, changes: Vec<NewChange>) -> Result<(), FetchError> {
        let Some(by) = self.fix.filter(|_| !changes.is_empty()) else {
            return Ok(());
        };
        let (queue, producer) = (self.operations.queue(), &self.operations.producer);
        let fetched = producer.take_in(&day.block, &changes).await?;
        let named = changes.into_iter().take(NAMED);
        let named: Vec<String> = named.map(|change| change.change_id).collect();
        let (enqueued, again) = (fetched.taken.enqueued, fetched.taken.listed_again);
        self.report.fixed.enqueued += enqueued;
        self.report.fixed.acknowledged_again += again;
        let note = Note {
            count: Some(enqueued + again),
            change_ids: &named,
            detail: &format!(
                "{}: {enqueued} taken in, {again} to be acknowledged again",
                day.date
            ),
            ..Note::default()
        };
        queue.note(by, AuditAction::Reconciled, &note).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_hour_that_repeats_was_made_at_its_second_end_at_the_latest() {
        let new_york = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        for (ordered_by, made_by) in [
            ("2027-11-07T04:59:00Z", "2027-11-07T04:59:00Z"),
            ("2027-11-07T05:00:00Z", "2027-11-07T07:00:00Z"),
            ("2027-11-07T07:00:00Z", "2027-11-07T07:00:00Z"),
            ("2027-03-14T07:30:00Z", "2027-03-14T07:30:00Z"),
        ] {
            let ms = |text: &str| -> u64 {
                let at: Timestamp = text.parse().unwrap();
                at.as_millisecond().try_into().unwrap()
            };
            assert_eq!(
                latest(ms(ordered_by), &new_york),
                ms(made_by),
                "{ordered_by}"
            );
        }
    }
}
