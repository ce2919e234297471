//! What the changes that AlumnIQ lists would do: fetched, mapped and compared; nothing is written. A destination that
//! can be read is asked for its current values.
//!
//! Memory stays bounded however many changes there are: they are shown in blocks, and only one block is worked on at
//! a time.
//!
//! # Layout
//!
//! - `listing`: the changes person by person, in blocks
//! - `item`: one change, and what the queue's records settle about it
//! - [`salsa`]: what Salsa has now, and what it would have after each change
//! - [`unread`]: what a destination that can't be read would be sent

mod item;
mod listing;
pub mod salsa;
pub mod unread;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jobs::{
    change::{self, Change, FieldNames},
    compare::Would,
    destination::{Destination, Vendor},
    outcome::{DeadClass, Outcome},
};
use queue::{Queue, intake::NewChange, standing::ChangeLookup};
use serde::Serialize;
use utoipa::ToSchema;

pub use self::item::Item;
use self::listing::{Listing, PersonChange};
use crate::{
    pipeline::producer::FetchError,
    vendors::{AlumniqClient, FeedFilter},
};

/// Everything that a preview needs.
pub struct Preview {
    /// AlumnIQ.
    pub client: Arc<AlumniqClient>,
    /// `alumniq.fields`.
    pub names: Arc<FieldNames>,
    /// `alumniq.timezone`.
    pub timezone: TimeZone,
    /// `alumniq.lookback_days`.
    pub lookback_days: u32,
    /// Each destination that is switched on.
    pub destinations: Vec<Box<dyn DestinationPreview>>,
    /// What the queue knows of the changes, where Redis runs.
    pub queue: Option<Queue>,
}

/// What changes would do at one destination.
#[async_trait]
pub trait DestinationPreview: Send {
    /// Which.
    fn destination(&self) -> Destination;

    /// Whether it is asked what it has now.
    fn is_read(&self) -> bool;

    /// Notes at each item what it would do. Items come person by person, the oldest change first, in as many calls as
    /// there are blocks.
    ///
    /// # Errors
    /// The destination can't be read now.
    async fn ask(&mut self, items: &mut [Item]) -> Result<(), Outcome>;
}

/// `preview --json`. Holds personal data.
#[derive(Default, Serialize, ToSchema)]
pub struct Previewed {
    // First: the people are printed block by block, and the rest is known after the last one.
    /// The person with the oldest change first. Empty in [`Lookahead::totals`].
    pub people: Vec<PersonPreview>,
    /// Rows that AlumnIQ sent.
    pub fetched: u64,
    /// Changes in this preview.
    pub previewed: usize,
    /// Whether AlumnIQ lists more changes than these.
    pub more: bool,
    /// Changes that would become a dead letter at one destination or more.
    pub would_die: usize,
    /// Whether the queue was asked what it knows.
    pub queue_asked: bool,
    /// Whether an enabled destination can't be read.
    pub crm_unread: bool,
    /// Which these are.
    pub unread: Vec<Destination>,
    /// Row keys that nothing maps, and how many rows have each.
    pub unmapped: BTreeMap<String, usize>,
}

/// One person's changes.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
pub struct PersonPreview {
    /// `None`: the row names nobody, or can't be read.
    pub xid: Option<String>,
    /// Oldest first.
    pub changes: Vec<Previewing>,
}

/// One change.
#[derive(Serialize, ToSchema)]
pub struct Previewing {
    /// Its id.
    pub change_id: String,
    /// When it was made, campus-local, where the row says so.
    pub changed_on: Option<String>,
    /// What the queue knows: `new`, `in flight`, `dead`, `to acknowledge`, `acknowledged` or `discarded`; `None`: it
    /// was not asked.
    pub queue: Option<&'static str>,
    /// What it would do at each destination; `alumniq`: the row can't even be read.
    pub destinations: BTreeMap<Vendor, Would>,
}

/// Some of the people, in their order.
pub struct PreviewBlock {
    /// These.
    pub people: Vec<PersonPreview>,
    /// Whether the first of them is the last one of the block before, with more changes.
    pub continues: bool,
}

/// Why there is no preview, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// AlumnIQ sends no rows, or Redis does not answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A destination does not send its current values.
    #[error("{} can't be read", Vendor::from(*.0).subject())]
    Destination(Destination, Outcome),
}

/// A preview under way.
pub struct Lookahead {
    preview: Preview,
    listing: Listing,
    /// The person of the last change of the block before.
    last_person: Option<String>,
    totals: Previewed,
}

impl Preview {
    /// Fetches the oldest `limit` changes of `filter`; `None`: what the next poll would fetch.
    ///
    /// # Errors
    /// See [`PreviewError`].
    pub async fn look(
        self,
        filter: Option<FeedFilter>,
        limit: usize,
    ) -> Result<Lookahead, PreviewError> {
        let unread = self.destinations.iter().filter(|at| !at.is_read());
        let unread: Vec<Destination> = unread.map(|at| at.destination()).collect();
        let mut totals = Previewed {
            queue_asked: self.queue.is_some(),
            crm_unread: !unread.is_empty(),
            unread,
            ..Previewed::default()
        };
        let listing = self.list(filter, limit, &mut totals).await?;
        Ok(Lookahead {
            preview: self,
            listing,
            last_person: None,
            totals,
        })
    }
}

impl Lookahead {
    /// The next people; `None` after the last ones.
    ///
    /// # Errors
    /// See [`PreviewError`].
    pub async fn next(&mut self) -> Result<Option<PreviewBlock>, PreviewError> {
        let changes = self.listing.block().await?;
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
            return Ok(None);
        };
        let continues = self.last_person.as_ref() == Some(&first.person);
        self.last_person = Some(last.person.clone());
        let mut items = self.read(changes).await?;
        for preview in &mut self.preview.destinations {
            let asked = preview.ask(&mut items).await;
            asked.map_err(|outcome| PreviewError::Destination(preview.destination(), outcome))?;
        }
        let dies = |item: &&Item| item.destinations.values().any(Would::dies);
        self.totals.would_die += items.iter().filter(dies).count();
        let people = by_person(items);
        Ok(Some(PreviewBlock { people, continues }))
    }

    /// Everything but the people; complete after the last block.
    pub fn totals(&self) -> &Previewed {
        &self.totals
    }

    async fn read(&mut self, changes: Vec<PersonChange>) -> Result<Vec<Item>, FetchError> {
        let standing = match &self.preview.queue {
            None => vec![None; changes.len()],
            Some(queue) => {
                let asked: Vec<ChangeLookup> =
                    changes.iter().map(|one| asked(&one.change)).collect();
                let standing = queue.standing(&asked).await?;
                standing.into_iter().map(Some).collect()
            }
        };
        let mut items = Vec::with_capacity(changes.len());
        for (PersonChange { person, change }, standing) in changes.into_iter().zip(standing) {
            let decoded = self.preview.decode(&change);
            let mut destinations = BTreeMap::new();
            match &decoded {
                Ok(change) => {
                    for key in &change.unmapped {
                        *self.totals.unmapped.entry(key.clone()).or_default() += 1;
                    }
                }
                Err((cause, advice)) => {
                    let would = Would::Die {
                        class: DeadClass::Undecodable,
                        cause: cause.clone(),
                        advice: advice.clone(),
                    };
                    destinations.insert(Vendor::Alumniq, would);
                }
            }
            items.push(Item {
                person,
                change,
                decoded,
                standing,
                destinations,
            });
        }
        Ok(items)
    }
}

impl Preview {
    /// Cause and advice of a row that can't be read.
    fn decode(&self, change: &NewChange) -> Result<Change, (String, String)> {
        if let Some(letter) = &change.letter {
            return Err((letter.cause.clone(), letter.advice.clone()));
        }
        let row = change::parse(change.row.get(), &self.names);
        row.and_then(|row| change::decode(&row, &self.names, &self.timezone))
            .map_err(|error| (error.cause, error.advice))
    }
}

/// What the queue is asked about a row.
pub(super) fn asked(change: &NewChange) -> ChangeLookup {
    ChangeLookup::of(&change.change_id, change.xid.as_deref(), &change.order)
}

/// The items are ordered by person.
fn by_person(items: Vec<Item>) -> Vec<PersonPreview> {
    let mut people: Vec<PersonPreview> = Vec::new();
    let mut last = None;
    for item in items {
        if last.as_ref() != Some(&item.person) {
            last = Some(item.person.clone());
            people.push(PersonPreview {
                xid: item.change.xid.clone(),
                changes: Vec::new(),
            });
        }
        if let Some(person) = people.last_mut() {
            person.changes.push(item.into());
        }
    }
    people
}
