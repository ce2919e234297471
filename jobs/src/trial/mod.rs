//! What would become of one row: decoded, mapped, held against each destination's rules. Nothing is called.

mod example;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

pub use self::example::{Difference, Example, Expected, differences};
use crate::{
    change::{self, Change, FieldNames},
    crm_update::CrmMapping,
    outcome::{DeadClass, Outcome},
    salsa_upsert::{SalsaMapping, SupporterPatch, merge},
};

/// How this school's rows are read and mapped.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'m> {
    /// `alumniq.fields`.
    pub names: &'m FieldNames,
    /// `alumniq.timezone`.
    pub timezone: &'m TimeZone,
    /// `alumniq.anonymous = "match"`.
    pub anonymous_allowed: bool,
    /// `[crm.map]`, unless the CRM is switched off.
    pub crm: Option<&'m CrmMapping>,
    /// `[salsa.map]`, unless Salsa is switched off.
    pub salsa: Option<&'m SalsaMapping>,
}

/// What would become of a row. `None`: the destination is switched off.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The changeId, where the row has one that can be read.
    pub change_id: Option<String>,
    /// The row's keys that nothing maps and that hold something.
    pub unmapped: Vec<String>,
    /// The document that the CRM would get.
    pub crm: Option<Result<Map<String, Value>, Death>>,
    /// What Salsa would get.
    pub salsa: Option<Result<SalsaDocuments, Death>>,
}

/// What Salsa would get.
#[derive(Debug, Clone, PartialEq)]
pub struct SalsaDocuments {
    /// What is laid over the supporter as Salsa has it, by the names of `[salsa.map]`.
    pub laid_over: Map<String, Value>,
    /// The supporter as it would be PUT for somebody who has nothing yet, or why that cannot be.
    pub added: Result<Value, Death>,
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
    fn of(outcome: Outcome) -> Self {
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
                crm: self.crm.map(|crm| self.to_crm(crm, &change)),
                salsa: self.salsa.map(|salsa| self.to_salsa(salsa, &change)),
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
                    crm: self.crm.map(|_| Err(death.clone())),
                    salsa: self.salsa.map(|_| Err(death)),
                }
            }
        }
    }

    fn to_crm(self, mapping: &CrmMapping, change: &Change) -> Result<Map<String, Value>, Death> {
        let document = mapping
            .document(change, self.anonymous_allowed)
            .map_err(Death::of)?;
        let fields = document.fields();
        Ok(fields
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect())
    }

    fn to_salsa(self, mapping: &SalsaMapping, change: &Change) -> Result<SalsaDocuments, Death> {
        let patch = mapping
            .patch(change, self.anonymous_allowed)
            .map_err(Death::of)?;
        Ok(SalsaDocuments {
            laid_over: laid_over(&patch),
            added: merge(None, &patch, true)
                .map(|supporter| supporter.document())
                .map_err(Death::of),
        })
    }
}

fn laid_over(patch: &SupporterPatch) -> Map<String, Value> {
    patch
        .values()
        .map(|(name, value)| (name, Value::from(value)))
        .collect()
}

#[cfg(test)]
mod tests;
