//! What would become of one row: decoded, mapped, held against each destination's rules. Nothing is called.

mod example;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

pub use self::example::{Example, ExampleMismatch, Expected, differences};
use crate::{
    change::{self, Change, FieldNames},
    destination::Destination,
    outcome::{DeadClass, Outcome},
};

/// A destination's mapping, as rows are tried with it.
pub trait DestinationMapping: fmt::Debug + Send + Sync {
    /// The row's fields that its templates read.
    fn fields(&self) -> BTreeSet<&str>;

    /// What it makes of a change.
    ///
    /// # Errors
    /// The change would be a dead letter.
    fn map(&self, change: &Change, anonymous_allowed: bool) -> Result<Mapped, Outcome>;
}

/// The mappings of the destinations that are switched on.
pub type DestinationMappings = BTreeMap<Destination, Arc<dyn DestinationMapping>>;

/// How this school's rows are read and mapped.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'m> {
    /// `alumniq.fields`.
    pub names: &'m FieldNames,
    /// `alumniq.timezone`.
    pub timezone: &'m TimeZone,
    /// `alumniq.anonymous = "match"`.
    pub anonymous_allowed: bool,
    /// The templates.
    pub mappings: &'m DestinationMappings,
}

/// What would become of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The changeId, where the row has one that can be read.
    pub change_id: Option<String>,
    /// The row's keys that nothing maps and that hold something.
    pub unmapped: Vec<String>,
    /// What each destination that is switched on would get.
    pub destinations: BTreeMap<Destination, Result<Mapped, Death>>,
}

/// What a destination would get.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The document, by the names of the destination's map.
    pub document: Map<String, Value>,
    /// Where the document is laid over a record that the destination has: what would be sent for somebody who has
    /// nothing yet, or why that can't be.
    pub added: Option<Result<Value, Death>>,
}

/// Why a row would be a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// Which kind of dead letter.
    pub class: DeadClass,
    /// Why, for people.
    pub cause: String,
    /// What a person can do about it.
    pub advice: String,
}

impl Death {
    /// A mapping gives no other outcome than a dead letter; whatever else it were is told as it stands.
    pub(crate) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Dead {
                class,
                cause,
                advice,
            } => Self {
                class,
                cause,
                advice,
            },
            Outcome::Done { detail: cause }
            | Outcome::Retry { cause, .. }
            | Outcome::Pause { cause, .. } => Self {
                class: DeadClass::Mapping,
                cause,
                advice: String::new(),
            },
        }
    }
}

impl Trial<'_> {
    /// What would become of `row`.
    pub fn of(&self, row: &Value) -> Tried {
        match change::decode(row, self.names, self.timezone) {
            Ok(change) => Tried {
                destinations: self.each(|mapping| {
                    let mapped = mapping.map(&change, self.anonymous_allowed);
                    mapped.map_err(Death::of)
                }),
                change_id: Some(change.change_id),
                unmapped: change.unmapped,
            },
            Err(error) => {
                let death = Death {
                    class: DeadClass::Undecodable,
                    cause: error.cause,
                    advice: error.advice,
                };
                Tried {
                    change_id: change::change_id(row, self.names).ok(),
                    unmapped: Vec::new(),
                    destinations: self.each(|_| Err(death.clone())),
                }
            }
        }
    }

    fn each<T>(&self, of: impl Fn(&dyn DestinationMapping) -> T) -> BTreeMap<Destination, T> {
        let mappings = self.mappings.iter();
        mappings
            .map(|(destination, mapping)| (*destination, of(&**mapping)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
