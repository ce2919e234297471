//! A dead letter's row, mended by hand: held against the mapping first, then replaced and replayed in one step.

mod trying;

use std::collections::{BTreeMap, BTreeSet};

use jobs::{
    change::{
        self,
        editing::{self, Editable, NEVER_EDITED},
    },
    destination::Vendor,
    trial::Trial,
};
use queue::{QueueError, Record, audit::Actor, editing::Edited};
use serde_json::{Value, value::to_raw_value};

use self::trying::{judged, problem, tried};
use super::{
    Operations,
    error::{FieldProblem, OperatorError},
};

/// A row as somebody sees it before they edit it. Holds personal data.
pub struct Draft {
    record: Record,
    /// Another one for another row: tells whether the row is still what was seen.
    pub version: String,
    /// Every canonical field; none where the row is not kept, or is nothing that fields can be read from.
    pub fields: Vec<Editable>,
}

/// An edit that a destination would take.
pub struct Accepted {
    /// What the destination would be sent without the edit, or why nothing.
    pub before: Result<Option<Value>, String>,
    /// What it would be sent; `None` where it gets no document.
    pub after: Option<Value>,
}

/// Why a row was not edited.
#[derive(Debug, thiserror::Error)]
pub(super) enum EditError {
    /// Redis did not do it.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The edited row would die again; nothing was changed.
    #[error("the edited row would be a dead letter again")]
    Problems(Vec<FieldProblem>),
}

impl From<EditError> for OperatorError {
    fn from(error: EditError) -> Self {
        let message = error.to_string();
        match error {
            EditError::Queue(error) => error.into(),
            EditError::Problems(problems) => Self::invalid(message, problems),
        }
    }
}

/// What became of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EditOutcome {
    /// The row is replaced and the letter replayed.
    Replayed,
    /// Somebody was faster: nothing was changed.
    Changed,
    /// There is no such letter (any more).
    Gone,
}

impl Operations {
    fn trial(&self) -> Trial<'_> {
        Trial {
            names: &self.producer.names,
            timezone: &self.producer.timezone,
            anonymous_allowed: self.config.anonymous_allowed,
            mappings: &self.config.mappings,
        }
    }

    /// The row's fields that `vendor`'s mapping reads; `None` where it gets no document.
    pub fn fields_sent(&self, vendor: Vendor) -> Option<BTreeSet<&str>> {
        let mapping = self.config.mappings.get(&vendor.destination()?)?;
        Some(mapping.fields())
    }

    /// The row of a change, as an edit begins with it. `None`: there is none (any more).
    pub async fn draft(&self, id: &str) -> Result<Option<Draft>, QueueError> {
        let row = self.queue().row(id).await?;
        Ok(row.map(|(_, record)| {
            let text = record.row.get();
            let row = change::parse(text, &self.producer.names).unwrap_or_default();
            Draft {
                version: version(text),
                fields: editing::editable(&row, &self.producer.names),
                record,
            }
        }))
    }

    /// What `vendor` would be sent for a draft as it is, and as it is edited.
    ///
    /// # Errors
    /// What is wrong with the edit.
    pub fn preview_draft(
        &self,
        vendor: Vendor,
        draft: &Draft,
        edits: &BTreeMap<String, String>,
    ) -> Result<Accepted, Vec<FieldProblem>> {
        let (_, after) = tried(&self.trial(), vendor, &draft.record, edits)?;
        let before = change::parse(draft.record.row.get(), &self.producer.names)
            .map_err(|error| error.cause)
            .and_then(|row| judged(&self.trial(), vendor, &row));
        Ok(Accepted { before, after })
    }

    /// Edits the row of a letter and replays it, unless it would only die again or is no longer that of the draft.
    ///
    /// # Errors
    /// What is wrong with the edit, or Redis.
    pub(super) async fn edit_draft(
        &self,
        vendor: Vendor,
        id: &str,
        draft: &Draft,
        edits: &BTreeMap<String, String>,
        by: &Actor,
    ) -> Result<EditOutcome, EditError> {
        let record = &draft.record;
        let (row, _) = tried(&self.trial(), vendor, record, edits).map_err(EditError::Problems)?;
        let edited = Record {
            xid: record.xid.clone(),
            row: to_raw_value(&row).map_err(|_| {
                EditError::Problems(vec![problem("", "it cannot be written as JSON")])
            })?,
        };
        let fields: Vec<String> = edits.keys().cloned().collect();
        let done = self
            .queue()
            .edit(vendor, id, record, &edited, &fields, by)
            .await?;
        Ok(match done {
            Edited::Replayed => EditOutcome::Replayed,
            Edited::Undecoded => match self.read_again(id).await? {
                true => EditOutcome::Replayed,
                false => EditOutcome::Gone,
            },
            Edited::Changed => EditOutcome::Changed,
            Edited::Gone => EditOutcome::Gone,
        })
    }
}

/// Of a row: another one for another text.
pub(super) fn version(row: &str) -> String {
    sha1_smol::Sha1::from(row).digest().to_string()
}

impl Draft {
    /// The fields that an edit may touch.
    pub fn editable(&self) -> impl Iterator<Item = &Editable> {
        let is_fixed = |field: &&Editable| NEVER_EDITED.contains(&field.name.as_str());
        self.fields.iter().filter(move |field| !is_fixed(field))
    }
}

#[cfg(test)]
mod tests;
