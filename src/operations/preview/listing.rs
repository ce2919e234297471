//! The changes that AlumnIQ lists, person by person.
//!
//! AlumnIQ lists them in no order. They are sorted on disk where they are many ([`Sorter`]): a person's changes stand
//! together, so that what one of them leaves is needed only until the next person.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
    vec,
};

use queue::intake::NewChange;
use tokio_util::sync::CancellationToken;

use super::{Preview, Previewed};
use crate::{
    pipeline::producer::{
        FetchError, RowFormat, Sorter,
        feed::{Clock, FeedReader, SortedGroups, Walk},
        first_day,
    },
    vendors::FeedFilter,
};

/// How many changes are worked on at a time: few enough for little memory (some 16 kB each), and many enough that
/// nearly every search at Salsa is full.
const BLOCK: usize = 500;

/// Digits of a person's number.
const DIGITS: usize = 8;

/// A change, and whose it is.
pub(super) struct PersonChange {
    /// The same for the changes of one person, and for no others; also where the row has no xid.
    pub person: String,
    pub change: NewChange,
}

/// Changes, by person.
pub(super) struct Listing {
    groups: SortedGroups,
    pending: vec::IntoIter<NewChange>,
}

impl Listing {
    /// The next changes; none: there are no more.
    pub async fn block(&mut self) -> Result<Vec<PersonChange>, FetchError> {
        let mut block = Vec::new();
        while block.len() < BLOCK {
            match self.pending.next() {
                Some(mut change) => {
                    let order = change.order.split_off(DIGITS);
                    let person = std::mem::replace(&mut change.order, order);
                    block.push(PersonChange { person, change });
                }
                None => match self.groups.next().await? {
                    Some(group) => self.pending = group.into_iter(),
                    None => break,
                },
            }
        }
        Ok(block)
    }
}

/// Sorts changes that come oldest first by person.
#[derive(Default)]
struct ByPerson {
    sorter: Sorter,
    numbers: HashMap<String, usize>,
    people: usize,
}

impl ByPerson {
    fn push(&mut self, mut change: NewChange) -> io::Result<()> {
        let next = self.people;
        let number = match &change.xid {
            Some(xid) => *self.numbers.entry(xid.clone()).or_insert(next),
            None => next,
        };
        if number == next {
            self.people += 1;
        }
        change.order.insert_str(0, &format!("{number:0DIGITS$}"));
        self.sorter.push(change)
    }
}

impl Preview {
    /// The oldest `limit` changes that AlumnIQ lists, each once: the person with the oldest change first, and each
    /// person's changes oldest first.
    pub(super) async fn list(
        &self,
        filter: Option<FeedFilter>,
        limit: usize,
        totals: &mut Previewed,
    ) -> Result<Listing, FetchError> {
        let clock = self.queue.as_ref().map_or(Clock::Own, Clock::Redis);
        let never = CancellationToken::new();
        let rows = RowFormat {
            names: Arc::clone(&self.names),
            timezone: self.timezone.clone(),
        };
        let mut feed = FeedReader::looked_at(&self.client, rows, clock, &never);
        let mut walk = self.walk(filter, clock, &feed).await?;
        let (mut by_person, mut seen) = (ByPerson::default(), HashSet::new());
        'walk: while totals.previewed < limit
            && let Some(mut block) = walk.next(&mut feed).await?
        {
            totals.fetched += block.rows;
            while let Some(group) = block.next().await? {
                for change in group {
                    if !seen.insert(change.change_id.clone()) {
                        continue;
                    }
                    if totals.previewed == limit {
                        totals.more = true;
                        break 'walk;
                    }
                    totals.previewed += 1;
                    by_person.push(change).map_err(FetchError::Sorting)?;
                }
            }
        }
        totals.more |= !walk.is_over();
        Ok(Listing {
            groups: SortedGroups::of(by_person.sorter).await,
            pending: Vec::new().into_iter(),
        })
    }

    async fn walk(
        &self,
        filter: Option<FeedFilter>,
        clock: Clock<'_>,
        feed: &FeedReader<'_>,
    ) -> Result<Walk, FetchError> {
        let since = match filter {
            Some(FeedFilter::ChangedSince(since)) => Some(since),
            Some(filter) => return Ok(Walk::once(filter)),
            None => None,
        };
        let last_sweep = match &self.queue {
            Some(queue) if since.is_none() => queue.producer_record().await?.last_sweep,
            _ => None,
        };
        let today = clock.today(&self.timezone).await?;
        let first = match since {
            Some(since) => since,
            None => first_day(today, self.lookback_days, last_sweep, &self.timezone)?,
        };
        Ok(Walk::since(first, today, feed))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn change(change_id: usize, xid: Option<&str>) -> NewChange {
        NewChange {
            change_id: change_id.to_string(),
            xid: xid.map(str::to_owned),
            order: format!("{change_id:015} x"),
            row: RawValue::NULL.to_owned(),
            letter: None,
            replaces: None,
            listed: None,
        }
    }

    async fn listed(changes: impl IntoIterator<Item = NewChange>) -> Vec<Vec<PersonChange>> {
        let mut by_person = ByPerson::default();
        for change in changes {
            by_person.push(change).unwrap();
        }
        let mut listing = Listing {
            groups: SortedGroups::of(by_person.sorter).await,
            pending: Vec::new().into_iter(),
        };
        let mut blocks = Vec::new();
        loop {
            let block = listing.block().await.unwrap();
            if block.is_empty() {
                return blocks;
            }
            blocks.push(block);
        }
    }

    #[tokio::test]
    async fn people_come_by_their_oldest_change_and_each_persons_changes_oldest_first() {
        let xids = [Some("b"), None, Some("a"), Some("b"), None, Some("a")];
        let changes = xids.into_iter().enumerate();
        let blocks = listed(changes.map(|(n, xid)| change(n, xid))).await;
        let order =
            |one: &PersonChange| (one.person.parse().unwrap(), one.change.change_id.clone());
        let order: Vec<(usize, String)> = blocks.iter().flatten().map(order).collect();
        let expected = [(0, "0"), (0, "3"), (1, "1"), (2, "2"), (2, "5"), (3, "4")];
        assert_eq!(order, expected.map(|(person, id)| (person, id.to_owned())));
        assert_eq!(blocks[0][1].change.order, "000000000000003 x");
    }

    #[tokio::test]
    async fn every_change_is_in_one_block_and_none_is_too_long() {
        let people = ["a", "b", "c"];
        let changes = (0..5 * BLOCK + 1).map(|n| change(n, Some(people[n % 3])));
        let blocks = listed(changes).await;
        assert!(blocks.iter().all(|block| block.len() <= BLOCK));
        let ids: HashSet<&str> = blocks
            .iter()
            .flatten()
            .map(|one| one.change.change_id.as_str())
            .collect();
        assert_eq!(ids.len(), 5 * BLOCK + 1);
    }
}
