//! What changes would do, before anybody does it: compared with what the destinations have, one change after the
//! other.
//!
//! # Layout
//!
//! - [`Would`]: what one change would do at one destination; its JSON is what `preview --json` prints
//! - [`sent`]: a document of a destination that has no read: what would be sent
//! - [`Sequence`]: a supporter from change to change: the second one's old value is the first one's new one

mod sequence;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use self::sequence::Sequence;
use crate::outcome::{DeadClass, Outcome};

/// What one change would do at one destination. Holds personal data.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "would", rename_all = "snake_case")]
pub enum Would {
    /// It would send this. What the destination has cannot be read.
    Send {
        /// The document, field by field.
        fields: Vec<SentField>,
    },
    /// It would change these fields of somebody who is there.
    Update {
        /// What would be another value.
        fields: Vec<FieldChange>,
        /// How many fields would be sent as they are.
        unchanged: usize,
    },
    /// It would add somebody.
    Add {
        /// What they would have.
        fields: Vec<FieldChange>,
    },
    /// It would become a dead letter.
    Die {
        /// Which kind.
        class: DeadClass,
        /// Why.
        cause: String,
        /// What to do.
        advice: String,
    },
    /// It would not be sent.
    Nothing {
        /// Why.
        because: &'static str,
    },
    /// Nobody can say.
    Unknown {
        /// Why.
        cause: String,
    },
}

/// A field whose value would be another one. Holds personal data.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldChange {
    /// Its name in the destination's map, e.g. `contacts.WORK_PHONE`.
    pub field: String,
    /// What the destination has; `None`: nothing.
    pub old: Option<String>,
    /// What it would have.
    pub new: String,
}

/// A field as it would be sent.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Sent)]
pub struct SentField {
    /// Its name, e.g. `PhoneWork` or `Tags[0].Tag`.
    pub field: String,
    /// Its value.
    pub new: String,
}

impl Would {
    /// Whether it would need a person.
    pub fn dies(&self) -> bool {
        matches!(self, Self::Die { .. })
    }
}

impl From<Outcome> for Would {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Dead {
                class,
                cause,
                advice,
            } => Self::Die {
                class,
                cause,
                advice,
            },
            Outcome::Retry { cause, .. } | Outcome::Pause { cause, .. } => Self::Unknown { cause },
            Outcome::Done { detail } => Self::Unknown { cause: detail },
        }
    }
}

/// What a destination that can't be read would be sent.
pub fn sent(document: &Map<String, Value>) -> Would {
    let mut fields = Vec::new();
    for (name, value) in document {
        flatten(name.clone(), value, &mut fields);
    }
    Would::Send { fields }
}

fn flatten(field: String, value: &Value, fields: &mut Vec<SentField>) {
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten(format!("{field}[{at}]"), item, fields);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                flatten(format!("{field}.{name}"), member, fields);
            }
        }
        Value::String(text) => fields.push(SentField {
            field,
            new: text.clone(),
        }),
        scalar => fields.push(SentField {
            field,
            new: scalar.to_string(),
        }),
    }
}
