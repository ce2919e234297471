//! Supporters from change to change.

use std::collections::HashMap;

use super::{FieldChange, Would};
use crate::{
    outcome::Outcome,
    salsa_upsert::{Supporter, SupporterKey, SupporterPatch, difference, merge, updated},
};

/// What Salsa would have by now, had the changes so far been applied. Changes are to come in the order in which they
/// would be applied: each person's oldest first.
#[derive(Default)]
pub struct Sequence {
    by_now: HashMap<Who, Supporter>,
    create_missing: bool,
}

/// Two keys may find one supporter.
#[derive(PartialEq, Eq, Hash)]
enum Who {
    Id(String),
    Key(SupporterKey),
}

impl Sequence {
    /// Nothing applied yet. `create_missing`: whether somebody whom Salsa does not know would be added.
    pub fn new(create_missing: bool) -> Self {
        Self {
            by_now: HashMap::new(),
            create_missing,
        }
    }

    /// What the next change would do. `found`: what Salsa has of its supporter now, before any of the changes.
    pub fn next(
        &mut self,
        found: &Result<Option<Supporter>, Outcome>,
        patch: &SupporterPatch,
    ) -> Would {
        let found = match found {
            Ok(found) => found.as_ref(),
            Err(outcome) => return outcome.clone().into(),
        };
        let who = match found.and_then(Supporter::id) {
            Some(id) => Who::Id(id.to_lowercase()),
            None => Who::Key(patch.key().clone()),
        };
        let by_now = self.by_now.get(&who).or(found);
        let document = match merge(by_now, patch, self.create_missing) {
            Ok(document) => document,
            Err(outcome) => return outcome.into(),
        };
        let would = match by_now {
            Some(by_now) => {
                let changed = difference(Some(by_now), &document);
                Would::Update {
                    fields: changed.fields,
                    unchanged: changed.unchanged,
                }
            }
            None => Would::Add {
                fields: difference(None, &document).fields,
            },
        };
        let after = updated(by_now, &document);
        self.by_now.insert(who, after);
        would
    }
}

impl Would {
    /// What changes, where that is known.
    pub fn changes(&self) -> &[FieldChange] {
        match self {
            Self::Update { fields, .. } | Self::Add { fields } => fields,
            _ => &[],
        }
    }
}
