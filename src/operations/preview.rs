//! What the changes that AlumnIQ lists would do: fetched, mapped and compared, and nothing written. Of the
//! destinations Salsa is asked what it has; the CRM's documents have no read.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use jiff::tz::TimeZone;
use jobs::{
    change::{self, Change, FieldNames},
    compare::{Sequence, Would, sent},
    crm_update::CrmMapping,
    destination::{Destination, Vendor},
    outcome::{DeadClass, Outcome},
    salsa_upsert::{
        self, IdentifierType, SalsaMapping, Supporter, SupporterPatch, correlate_search,
    },
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::supporters::{Calls, Operation};
use crate::{
    queue::{
        Queue,
        intake::NewChange,
        lease::{STALE_ADVICE, STALE_CAUSE},
        standing::{Asked, Standing},
    },
    vendors::{AlumniqClient, Filter},
    workers::producer::{
        FetchError, Rows,
        feed::{Clock, Feed, Walk},
        first_day,
    },
};

/// Everything that is needed to look ahead.
pub struct Preview {
    /// AlumnIQ.
    pub client: Arc<AlumniqClient>,
    /// `alumniq.fields`.
    pub names: Arc<FieldNames>,
    /// `alumniq.timezone`.
    pub timezone: TimeZone,
    /// `alumniq.lookback_days`.
    pub lookback_days: u32,
    /// `alumniq.anonymous = "match"`.
    pub anonymous_allowed: bool,
    /// `[crm.map]`, unless the CRM is switched off.
    pub crm: Option<Arc<CrmMapping>>,
    /// Salsa, unless it is switched off.
    pub salsa: Option<PreviewedSalsa>,
    /// What is known of the changes, where the Redis runs.
    pub queue: Option<Queue>,
}

/// Salsa's part.
pub struct PreviewedSalsa {
    /// `[salsa.map]`.
    pub mapping: Arc<SalsaMapping>,
    /// `salsa.create_missing`.
    pub create_missing: bool,
    /// How it is asked.
    pub calls: Calls,
}

/// `preview --json`. Holds personal data.
#[derive(Default, Serialize, ToSchema)]
pub struct Previewed {
    /// Rows that AlumnIQ sent.
    pub fetched: u64,
    /// Changes that were looked at.
    pub previewed: usize,
    /// Whether AlumnIQ lists more than were looked at.
    pub more: bool,
    /// Changes that would become a dead letter somewhere.
    pub would_die: usize,
    /// Whether the queue was asked what it knows.
    pub queue_asked: bool,
    /// Whether a destination takes part that cannot be read.
    pub crm_unread: bool,
    /// By whom has the oldest change.
    pub people: Vec<Person>,
    /// Row keys that nothing maps, and how many rows have them.
    pub unmapped: BTreeMap<String, usize>,
}

/// Whose changes.
#[derive(Serialize, ToSchema)]
pub struct Person {
    /// `None`: a row that names nobody, or cannot be read.
    pub xid: Option<String>,
    /// Oldest first.
    pub changes: Vec<Previewing>,
}

/// One change.
#[derive(Serialize, ToSchema)]
pub struct Previewing {
    /// Which.
    pub change_id: String,
    /// When it was made, campus-local, where the row says so.
    pub changed_on: Option<String>,
    /// What the queue knows: `new`, `in flight`, `dead`, `to acknowledge`, `acknowledged` or `discarded`; `None`: it
    /// was not asked.
    pub queue: Option<&'static str>,
    /// What it would do where; `alumniq`: it cannot even be read.
    pub destinations: BTreeMap<Vendor, Would>,
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// AlumnIQ gives no rows, or Redis went away.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Salsa does not say what it has.
    #[error("Salsa cannot be read")]
    Salsa(Outcome),
}

/// A change on its way through the preview.
struct Item {
    change: NewChange,
    decoded: Result<Change, (String, String)>,
    standing: Option<Standing>,
    destinations: BTreeMap<Vendor, Would>,
}

impl Preview {
    /// Looks ahead at the oldest `limit` changes of `filter`; `None`: what the next poll would fetch.
    ///
    /// # Errors
    /// See [`PreviewError`].
    pub async fn look(
        mut self,
        filter: Option<Filter>,
        limit: usize,
    ) -> Result<Previewed, PreviewError> {
        let mut previewed = Previewed {
            queue_asked: self.queue.is_some(),
            crm_unread: self.crm.is_some(),
            ..Previewed::default()
        };
        let changes = self.listed(filter, limit, &mut previewed).await?;
        let mut items = self.read(changes, &mut previewed.unmapped).await?;
        self.ask_crm(&mut items);
        self.ask_salsa(&mut items).await?;
        previewed.previewed = items.len();
        let dies = |item: &&Item| item.destinations.values().any(Would::dies);
        previewed.would_die = items.iter().filter(dies).count();
        previewed.people = by_person(items);
        Ok(previewed)
    }

    /// The oldest changes that AlumnIQ lists, each once, oldest first.
    async fn listed(
        &self,
        filter: Option<Filter>,
        limit: usize,
        previewed: &mut Previewed,
    ) -> Result<Vec<NewChange>, FetchError> {
        let clock = self.queue.as_ref().map_or(Clock::Own, Clock::Redis);
        let never = CancellationToken::new();
        let rows = Rows {
            names: Arc::clone(&self.names),
            timezone: self.timezone.clone(),
        };
        let mut feed = Feed::looked_at(&self.client, rows, clock, &never);
        let mut changes = Vec::new();
        let mut seen = HashSet::new();
        let mut walk = match filter {
            Some(Filter::ChangedSince(since)) => {
                let today = clock.today(&self.timezone).await?;
                Walk::since(since, today, &feed)
            }
            None => {
                let last_sweep = match &self.queue {
                    Some(queue) => queue.producer_record().await?.last_sweep,
                    None => None,
                };
                let today = clock.today(&self.timezone).await?;
                let first = first_day(today, self.lookback_days, last_sweep, &self.timezone)?;
                Walk::since(first, today, &feed)
            }
            Some(filter) => Walk::once(filter),
        };
        while changes.len() < limit
            && let Some(mut block) = walk.next(&mut feed).await?
        {
            previewed.fetched += block.rows;
            while changes.len() <= limit
                && let Some(group) = block.next().await?
            {
                let new = |change: &NewChange| seen.insert(change.change_id.clone());
                changes.extend(group.into_iter().filter(new));
            }
        }
        previewed.more = changes.len() > limit || !walk.is_over();
        changes.truncate(limit);
        Ok(changes)
    }

    async fn read(
        &self,
        changes: Vec<NewChange>,
        unmapped: &mut BTreeMap<String, usize>,
    ) -> Result<Vec<Item>, FetchError> {
        let standing = match &self.queue {
            None => vec![None; changes.len()],
            Some(queue) => {
                let asked: Vec<Asked> = changes.iter().map(asked).collect();
                let standing = queue.standing(&asked).await?;
                standing.into_iter().map(Some).collect()
            }
        };
        let items = changes.into_iter().zip(standing);
        let items = items.map(|(change, standing)| {
            let decoded = self.decode(&change);
            for key in decoded.iter().flat_map(|change| &change.unmapped) {
                *unmapped.entry(key.clone()).or_default() += 1;
            }
            let mut item = Item {
                change,
                decoded,
                standing,
                destinations: BTreeMap::new(),
            };
            if let Err((cause, advice)) = &item.decoded {
                let would = Would::Die {
                    class: DeadClass::Undecodable,
                    cause: cause.clone(),
                    advice: advice.clone(),
                };
                item.destinations.insert(Vendor::Alumniq, would);
            }
            item
        });
        Ok(items.collect())
    }

    /// Cause and advice of a row that cannot be read.
    fn decode(&self, change: &NewChange) -> Result<Change, (String, String)> {
        if let Some(letter) = &change.letter {
            return Err((letter.cause.clone(), letter.advice.clone()));
        }
        let row = change::parse(change.row.get(), &self.names);
        row.and_then(|row| change::decode(&row, &self.names, &self.timezone))
            .map_err(|error| (error.cause, error.advice))
    }

    fn ask_crm(&self, items: &mut [Item]) {
        let Some(mapping) = &self.crm else {
            return;
        };
        for item in items {
            let Ok(change) = &item.decoded else {
                continue;
            };
            let would = item.settled(Destination::Crm).unwrap_or_else(|| {
                mapping
                    .document(change, self.anonymous_allowed)
                    .map_or_else(Would::from, |document| sent(&document))
            });
            item.destinations.insert(Vendor::Crm, would);
        }
    }

    async fn ask_salsa(&mut self, items: &mut [Item]) -> Result<(), PreviewError> {
        let Some(salsa) = &mut self.salsa else {
            return Ok(());
        };
        let mut patches = Vec::new();
        for (place, item) in items.iter_mut().enumerate() {
            let Ok(change) = &item.decoded else {
                continue;
            };
            let patch = match item.settled(Destination::Salsa) {
                Some(would) => Err(would),
                None => salsa
                    .mapping
                    .patch(change, self.anonymous_allowed)
                    .map_err(Would::from),
            };
            match patch {
                Ok(patch) => patches.push((place, patch)),
                Err(would) => {
                    item.destinations.insert(Vendor::Salsa, would);
                }
            }
        }
        let found = found(&mut salsa.calls, &patches).await?;
        let mut sequence = Sequence::new(salsa.create_missing);
        for ((place, patch), found) in patches.iter().zip(&found) {
            let would = sequence.next(found, patch);
            items[*place].destinations.insert(Vendor::Salsa, would);
        }
        Ok(())
    }
}

impl Item {
    /// What is settled by what the queue knows: a destination that has the change, or does not want it.
    fn settled(&self, destination: Destination) -> Option<Would> {
        let nothing = |because| Some(Would::Nothing { because });
        match self.standing? {
            Standing::ToAcknowledge => nothing("applied already"),
            Standing::Closed { told: true, .. } => {
                nothing("closed already: AlumnIQ is told of it again")
            }
            Standing::Closed { told: false, .. } => {
                nothing("discarded on purpose, without telling AlumnIQ")
            }
            Standing::Open {
                dead, at_alumniq, ..
            } if dead.contain(destination) || at_alumniq == Some(DeadClass::Undecodable) => {
                nothing("a dead letter already: see `alumniq-relay dead show`")
            }
            Standing::Open { waits_for, .. } if !waits_for.contain(destination) => {
                nothing("applied already")
            }
            Standing::Open { overtaken, .. } | Standing::Unknown { overtaken } => {
                overtaken.contain(destination).then(|| Would::Die {
                    class: DeadClass::Stale,
                    cause: STALE_CAUSE.to_owned(),
                    advice: STALE_ADVICE.to_owned(),
                })
            }
        }
    }

    fn known(&self) -> Option<&'static str> {
        Some(match self.standing? {
            Standing::Unknown { .. } => "new",
            Standing::Open {
                dead, at_alumniq, ..
            } if at_alumniq.is_some() || !dead.is_empty() => "dead",
            Standing::Open { .. } => "in flight",
            Standing::ToAcknowledge => "to acknowledge",
            Standing::Closed {
                discarded: true, ..
            } => "discarded",
            Standing::Closed { .. } => "acknowledged",
        })
    }
}

/// What the queue is asked about a row.
pub(super) fn asked(change: &NewChange) -> Asked {
    Asked::of(&change.change_id, change.xid.as_deref(), &change.order)
}

/// What Salsa has for each patch. Whom several patches look for is asked about once.
async fn found(
    calls: &mut Calls,
    patches: &[(usize, SupporterPatch)],
) -> Result<Vec<Result<Option<Supporter>, Outcome>>, PreviewError> {
    let mut found: Vec<Result<Option<Supporter>, Outcome>> = vec![Ok(None); patches.len()];
    for kind in [IdentifierType::ExternalId, IdentifierType::EmailAddress] {
        let mut wanted: HashMap<String, Vec<usize>> = HashMap::new();
        let mut ids = Vec::new();
        for (at, (_, patch)) in patches.iter().enumerate() {
            if patch.key().kind() == kind {
                let id = patch.key().value().to_owned();
                let places = wanted.entry(id.clone()).or_insert_with(|| {
                    ids.push(id);
                    Vec::new()
                });
                places.push(at);
            }
        }
        let body = |part: &[String]| salsa_upsert::search_body(part, kind);
        for (part, answer) in calls.each(Operation::Search, &ids, body).await {
            let places: Vec<usize> = part.iter().flat_map(|id| &wanted[id]).copied().collect();
            match answer {
                Some(Ok(payload)) => {
                    let patches = places.iter().map(|at| &patches[*at].1);
                    let hits = correlate_search(&payload, patches);
                    for (at, hit) in places.iter().zip(hits) {
                        found[*at] = hit;
                    }
                }
                Some(Err(outcome @ Outcome::Pause { .. })) => {
                    return Err(PreviewError::Salsa(outcome));
                }
                Some(Err(outcome)) => {
                    for at in places {
                        found[at] = Err(outcome.clone());
                    }
                }
                // Only behind a pause, which has ended the preview.
                None => {}
            }
        }
    }
    Ok(found)
}

/// The changes are in their order: whoever has the oldest comes first.
fn by_person(items: Vec<Item>) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for item in items {
        let xid = item.change.xid.clone();
        let previewing = Previewing {
            queue: item.known(),
            changed_on: item
                .decoded
                .ok()
                .and_then(|mut change| change.fields.remove("changedOn")),
            change_id: item.change.change_id,
            destinations: item.destinations,
        };
        match xid.as_ref().and_then(|xid| places.get(xid)) {
            Some(place) => people[*place].changes.push(previewing),
            None => {
                if let Some(xid) = &xid {
                    places.insert(xid.clone(), people.len());
                }
                people.push(Person {
                    xid,
                    changes: vec![previewing],
                });
            }
        }
    }
    people
}
