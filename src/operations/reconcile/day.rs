//! One day of the feed, held against the queue.

use std::{collections::HashSet, time::Duration};

use jiff::civil::Date;
use jobs::outcome::DeadClass;
use serde_json::value::RawValue;

use super::{LOOK_AGAIN, Listed, Look};
use crate::{
    operations::{Operations, preview::asked},
    queue::{
        audit::{AuditAction, NAMED, Note},
        intake::NewChange,
        standing::{Asked, Standing},
    },
    vendors::Filter,
    workers::producer::{FetchError, day, feed::Block},
};

/// How often at the most a fleet that is catching up is looked at again.
const LOOKS: u32 = 60;

/// How often AlumnIQ is asked at the least: by the schedule, or by a daily `sync`.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// So much later a fetch may be.
const LATE: Duration = Duration::from_secs(15 * 60);

/// How far AlumnIQ's clock may be behind or ahead of Redis'.
const CLOCKS_DIFFER: u64 = 60_000;

/// What AlumnIQ lists of a day, after a second look where the first one found a difference.
pub(super) struct Day {
    date: Date,
    block: Block,
    /// What differs, and how.
    odd: Vec<(NewChange, Standing)>,
}

impl Day {
    pub(super) async fn read(look: &mut Look<'_>, date: Date) -> Result<Self, FetchError> {
        let mut rows = 0;
        let first = Self::once(look, date, None, &mut rows).await?;
        let suspects: HashSet<String> = first
            .odd
            .iter()
            .map(|(change, _)| change.change_id.clone())
            .collect();
        look.report.feed.rows += rows;
        if suspects.is_empty() {
            return Ok(first);
        }
        catch_up(look, &first).await?;
        Self::once(look, date, Some(&suspects), &mut rows).await
    }

    /// One GET; of its rows those that differ, and are among the `suspects`, where there are any.
    async fn once(
        look: &mut Look<'_>,
        date: Date,
        suspects: Option<&HashSet<String>>,
        rows: &mut u64,
    ) -> Result<Self, FetchError> {
        let operations = look.operations;
        let mut block = look.feed.rows(&Filter::ChangedOn(date)).await?;
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
            let asked: Vec<Asked> = changes.iter().map(asked).collect();
            let standing = operations.queue.standing(&asked).await?;
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
            Some(ms) if ms > 0 => ms + CLOCKS_DIFFER >= last,
            // A row that does not say when: by its day.
            _ => day(last, &producer.timezone).is_ok_and(|last| self.date >= last),
        }
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

/// Waits for as long as a fleet takes in what was unknown: a fetch may be under way.
async fn catch_up(look: &Look<'_>, first: &Day) -> Result<(), FetchError> {
    let unknown = |standing: &Standing| matches!(standing, Standing::Unknown { .. });
    let mut odd: Vec<Asked> = first.odd.iter().map(|(change, _)| asked(change)).collect();
    let mut before = first.odd.iter().filter(|(_, s)| unknown(s)).count();
    for _ in 0..LOOKS {
        tokio::time::sleep(LOOK_AGAIN).await;
        let standing = look.operations.queue.standing(&odd).await?;
        let mut standing = standing.iter();
        odd.retain(|_| standing.next().is_some_and(unknown));
        if odd.is_empty() || odd.len() >= before {
            break;
        }
        before = odd.len();
    }
    Ok(())
}

impl Look<'_> {
    /// Sorts what differs into the report, and mends it where somebody wants that.
    pub(super) async fn judge(&mut self, mut day: Day) -> Result<(), FetchError> {
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
    async fn mend(&mut self, day: &Day, changes: Vec<NewChange>) -> Result<(), FetchError> {
        let Some(by) = self.fix.filter(|_| !changes.is_empty()) else {
            return Ok(());
        };
        let Operations {
            queue, producer, ..
        } = self.operations;
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
