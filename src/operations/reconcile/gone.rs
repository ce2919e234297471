//! What the queue works on, and AlumnIQ no longer lists: somebody marked it there.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::{ToSpan, civil::Date};
use jobs::change;
use queue::standing::{ChangeLookup, OpenChange, Standing};

use super::{LOOK_AGAIN, Look};
use crate::{
    operations::Operations,
    pipeline::producer::{FetchError, day},
    vendors::FeedFilter,
};

impl Look<'_> {
    /// Where AlumnIQ marks what it sends, it lists nothing of what is open, and nothing is wrong.
    pub(super) async fn find_gone(&mut self) -> Result<(), FetchError> {
        if self.operations.producer.mark_on_fetch {
            return Ok(());
        }
        let suspects = self.suspects().await?;
        if suspects.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        self.look_at_days_again(suspects.keys().copied()).await?;
        for (_, asked) in suspects {
            let standing = self.operations.queue().standing(&asked).await?;
            for (one, standing) in asked.iter().zip(standing) {
                let is_open = matches!(
                    standing,
                    Standing::Open { waits_for, dead, .. } if !waits_for.is_empty() || !dead.is_empty()
                );
                if is_open && !self.listed.has(&one.change_id) {
                    self.report.open_but_not_listed.add(&one.change_id);
                }
            }
        }
        Ok(())
    }

    /// What was open before the first GET and came with none, by the day on which it was made.
    async fn suspects(&self) -> Result<BTreeMap<Date, Vec<ChangeLookup>>, FetchError> {
        let mut suspects: BTreeMap<Date, Vec<ChangeLookup>> = BTreeMap::new();
        let (mut cursor, mut seen) = (None, HashSet::new());
        loop {
            let page = self.operations.queue().open_changes(cursor).await?;
            for open in page.changes {
                if open.fetched_at >= self.began || self.listed.has(&open.change_id) {
                    continue;
                }
                let Some((day, asked)) = placed(self.operations, &open) else {
                    continue;
                };
                let range = &self.report.range;
                if (range.from..=range.to).contains(&day) && seen.insert(open.change_id) {
                    suspects.entry(day).or_default().push(asked);
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(suspects);
            }
        }
    }

    /// With their neighbours: a change near midnight may be of another day to AlumnIQ.
    async fn look_at_days_again(
        &mut self,
        suspicious: impl Iterator<Item = Date>,
    ) -> Result<(), FetchError> {
        let mut days = BTreeSet::new();
        for day in suspicious {
            let neighbours = [day.checked_sub(1.day()), Ok(day), day.checked_add(1.day())];
            days.extend(neighbours.into_iter().flatten());
        }
        for day in days {
            let mut block = self.feed.rows(&FeedFilter::ChangedOn(day)).await?;
            while let Some(changes) = block.next().await? {
                for change in changes {
                    self.listed.add(&change.change_id);
                }
            }
        }
        Ok(())
    }
}

/// Its campus day and its place; `None` for a row that says no time: nobody knows on which day AlumnIQ lists it.
fn placed(operations: &Operations, open: &OpenChange) -> Option<(Date, ChangeLookup)> {
    let (names, timezone) = (&operations.producer.names, operations.timezone());
    let row = change::parse(open.record.row.get(), names).ok()?;
    let identity = change::identify(&row, names, timezone).ok()?;
    let made_at = identity
        .order
        .get(..15)?
        .parse()
        .ok()
        .filter(|ms| *ms > 0)?;
    let day = day(made_at, timezone).ok()?;
    let asked = ChangeLookup::of(&open.change_id, identity.xid.as_deref(), &identity.order);
    Some((day, asked))
}
