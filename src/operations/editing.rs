//! A dead letter's row, mended by hand: held against the mapping first, then replaced and replayed in one step.

mod trying;

use std::collections::{BTreeMap, BTreeSet};

use jobs::{
    change::{self, editing},
    destination::Vendor,
    trial::Trial,
};
use queue::{QueueError, Record, audit::Actor, editing::Edited};
use serde_json::value::to_raw_value;

use self::trying::{judged, problem, tried};
use super::{
    Operations,
    error::{FieldProblem, OperatorError},
    wire::{Draft, EditDone},
};

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
    fn fields_sent(&self, vendor: Vendor) -> Option<BTreeSet<String>> {
        let mapping = self.config.mappings.get(&vendor.destination()?)?;
        Some(mapping.fields().into_iter().map(str::to_owned).collect())
    }

    /// The row of a change, as an edit by `by` begins with it. The audit log records first who is shown it.
    pub(super) async fn draft(
        &self,
        vendor: Vendor,
        id: &str,
        by: &Actor,
    ) -> Result<Draft, QueueError> {
        let kept = self.queue().row(id).await?;
        let text = kept.as_ref().map(|(_, record)| record.row.get());
        let row = text.and_then(|text| change::parse(text, &self.producer.names).ok());
        let fields = editing::editable(&row.unwrap_or_default(), &self.producer.names);
        if !fields.is_empty() {
            self.reveal_hourly(vendor, id, by).await?;
        }
        Ok(Draft {
            version: text.map(version).unwrap_or_default(),
            fields,
            fields_sent: self.fields_sent(vendor),
        })
    }

    /// What `vendor` would be sent for a row as it is, and as it is edited.
    ///
    /// # Errors
    /// What is wrong with the edit.
    pub(super) fn try_edit(
        &self,
        vendor: Vendor,
        record: &Record,
        edits: &BTreeMap<String, String>,
    ) -> Result<EditDone, EditError> {
        let (_, would_send) =
            tried(&self.trial(), vendor, record, edits).map_err(EditError::Problems)?;
        let unedited = change::parse(record.row.get(), &self.producer.names)
            .map_err(|error| error.cause)
            .and_then(|row| judged(&self.trial(), vendor, &row));
        let (unedited, unedited_refused) = match unedited {
            Ok(document) => (document, None),
            Err(cause) => (None, Some(cause)),
        };
        Ok(EditDone {
            replayed: false,
            would_send,
            unedited,
            unedited_refused,
        })
    }

    /// Edits the row of a letter and replays it, unless it would only die again or is no longer `record`.
    ///
    /// # Errors
    /// What is wrong with the edit, or Redis.
    pub(super) async fn edit(
        &self,
        vendor: Vendor,
        id: &str,
        record: &Record,
        edits: &BTreeMap<String, String>,
        by: &Actor,
    ) -> Result<EditOutcome, EditError> {
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

#[cfg(test)]
mod tests;
