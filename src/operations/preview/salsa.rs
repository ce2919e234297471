//! What Salsa has now, and what it would have after each change.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use jobs::{
    compare::{Sequence, Would},
    destination::{Destination, Vendor},
    outcome::Outcome,
    salsa_upsert::{
        self, IdentifierType, SalsaMapping, Supporter, SupporterPatch, correlate_search,
    },
};

use super::{DestinationPreview, Item};
use crate::operations::supporters::{SupporterCalls, SupporterOperation};

/// Salsa's part of a preview.
pub struct SalsaPreview {
    mapping: Arc<SalsaMapping>,
    create_missing: bool,
    anonymous_allowed: bool,
    calls: SupporterCalls,
    by_now: SupportersByNow,
}

impl SalsaPreview {
    /// `create_missing`: `salsa.create_missing`; `anonymous_allowed`: `alumniq.anonymous = "match"`; `calls` sends the
    /// searches.
    pub fn new(
        mapping: Arc<SalsaMapping>,
        create_missing: bool,
        anonymous_allowed: bool,
        calls: SupporterCalls,
    ) -> Self {
        Self {
            mapping,
            create_missing,
            anonymous_allowed,
            calls,
            by_now: SupportersByNow::default(),
        }
    }
}

/// What Salsa would have by now, had the changes so far been applied.
#[derive(Default)]
struct SupportersByNow {
    person: Option<String>,
    sequence: Sequence,
}

impl SupportersByNow {
    /// For the changes of `person`. No two xids find the same supporter, so the person before can be forgotten; an
    /// email address of an anonymous change (`anonymous_allowed`) may find anybody.
    fn of(&mut self, person: &str, create_missing: bool, anonymous_allowed: bool) -> &mut Sequence {
        let is_new = match &self.person {
            Some(last) => !anonymous_allowed && last != person,
            None => true,
        };
        if is_new {
            self.sequence = Sequence::new(create_missing);
            self.person = Some(person.to_owned());
        }
        &mut self.sequence
    }
}

#[async_trait]
impl DestinationPreview for SalsaPreview {
    fn destination(&self) -> Destination {
        Destination::Salsa
    }

    fn is_read(&self) -> bool {
        true
    }

    async fn ask(&mut self, items: &mut [Item]) -> Result<(), Outcome> {
        let mut patches = Vec::new();
        for (place, item) in items.iter_mut().enumerate() {
            let Ok(change) = &item.decoded else {
                continue;
            };
            let patch = match item.settled(Destination::Salsa) {
                Some(would) => Err(would),
                None => self
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
        let found = found(&mut self.calls, &patches).await?;
        for ((place, patch), found) in patches.iter().zip(&found) {
            let item = &mut items[*place];
            let (create_missing, anonymous_allowed) = (self.create_missing, self.anonymous_allowed);
            let sequence = self
                .by_now
                .of(&item.person, create_missing, anonymous_allowed);
            let would = sequence.next(found, patch);
            item.destinations.insert(Vendor::Salsa, would);
        }
        Ok(())
    }
}

/// What Salsa has for each patch. Each supporter is searched for once, however many patches need it.
async fn found(
    calls: &mut SupporterCalls,
    patches: &[(usize, SupporterPatch)],
) -> Result<Vec<Result<Option<Supporter>, Outcome>>, Outcome> {
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
        for (part, answer) in calls.each(SupporterOperation::Search, &ids, body).await {
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
                    return Err(outcome);
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
