//! Which dead letters somebody means, in their words.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jobs::{destination::Vendor, outcome::DeadClass};
use queue::{QueueError, letters::LetterFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Operations, moment::Moment};

/// Which dead letters. What is absent is any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Where they died.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destination: Option<Vendor>,
    /// Which kind.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<DeadClass>,
    /// The key of a group of causes, as the groups and the letters have it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
    /// Whose: the constituent's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub xid: Option<String>,
    /// Died since.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Moment>,
    /// Died before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Moment>,
}

/// One change's dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LetterName {
    /// Which change.
    #[schema(min_length = 1, max_length = 400)]
    pub change_id: String,
    /// Only the one at this destination; all of them where it is absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destination: Option<Vendor>,
}

/// Letters that somebody named cannot be handled.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// Redis did not say.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Naming something that is not there is a mistake: nothing is done.
    #[error("change {0} has no such dead letter")]
    NoSuchLetter(String),
}

impl Wanted {
    /// The filter that is meant now; days are those of the campus.
    pub fn filter(&self, desk: &Operations) -> LetterFilter {
        let now = Timestamp::now();
        let instant = |moment: &Moment| moment.milliseconds(now, &desk.timezone);
        LetterFilter {
            vendor: self.destination,
            class: self.class,
            cause: self.cause.clone(),
            xid: self.xid.clone(),
            since: self.since.as_ref().map(instant),
            until: self.until.as_ref().map(instant),
        }
    }
}

impl Operations {
    /// The letters of the changes that are named, as far as `filter` lets them pass, each once.
    ///
    /// # Errors
    /// A name that has no such letter, or Redis.
    pub async fn select(
        &self,
        names: &[LetterName],
        filter: &LetterFilter,
    ) -> Result<Vec<(Vendor, String)>, SelectError> {
        let mut selected = Vec::new();
        let mut seen = BTreeSet::new();
        for name in names {
            let letters = self.queue.letters_of(&name.change_id).await?;
            let mut found = false;
            for letter in letters {
                let at = letter.destination;
                if filter.matches(&letter) && name.destination.is_none_or(|wanted| wanted == at) {
                    found = true;
                    if seen.insert((at, letter.change_id.clone())) {
                        selected.push((at, letter.change_id));
                    }
                }
            }
            if !found {
                return Err(SelectError::NoSuchLetter(name.change_id.clone()));
            }
        }
        Ok(selected)
    }
}
