//! A dead letter's row, mended by hand: held against the mapping first, then replaced and replayed in one step.

use std::collections::BTreeMap;

use jobs::{
    change::{self, editing},
    destination::Vendor,
    trial::{Death, Trial},
};
use serde_json::{Value, value::to_raw_value};

use super::Operations;
use crate::queue::{QueueError, Record, audit::Actor, editing::Edited};

/// What is wrong with an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditProblem {
    /// The field; empty where it is about the whole document.
    pub field: String,
    /// What is wrong, for people.
    pub problem: String,
}

/// Why a row was not edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// Redis did not do it.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The edited row would die again; nothing was changed.
    #[error("the edited row would be a dead letter again")]
    Problems(Vec<EditProblem>),
}

/// What became of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditOutcome {
    /// The row is replaced and the letter replayed.
    Replayed,
    /// Somebody was faster: nothing was changed.
    Changed,
    /// There is no such letter (any more).
    Gone,
}

impl Operations {
    /// The document that `vendor` would be sent for `row`. `None`: it gets none (AlumnIQ, or it is switched off).
    ///
    /// # Errors
    /// Why the row would be a dead letter.
    pub fn would_send(&self, vendor: Vendor, row: &Value) -> Option<Result<Value, Death>> {
        let trial = Trial {
            names: &self.names,
            timezone: &self.timezone,
            anonymous_allowed: self.anonymous_allowed,
            crm: self.crm.as_deref(),
            salsa: self.salsa.as_deref(),
        };
        let tried = trial.of(row);
        match vendor {
            Vendor::Crm => Some(tried.crm?.map(Value::Object)),
            Vendor::Salsa => {
                let documents = tried.salsa?;
                Some(documents.map(|documents| Value::Object(documents.laid_over)))
            }
            Vendor::Alumniq => None,
        }
    }

    /// What `vendor` would be sent for the edited row of a change; `None` inside where it gets no document.
    ///
    /// # Errors
    /// What is wrong with the edit, or Redis. A change without a row is an empty list of problems.
    pub async fn preview_edit(
        &self,
        vendor: Vendor,
        id: &str,
        edits: &BTreeMap<String, String>,
    ) -> Result<Option<Value>, EditError> {
        let Some((_, record)) = self.queue.row(id).await? else {
            return Err(EditError::Problems(Vec::new()));
        };
        self.tried(vendor, &record, edits)
            .map(|(_, document)| document)
            .map_err(EditError::Problems)
    }

    /// Edits the row of a letter and replays it, unless it would only die again.
    ///
    /// # Errors
    /// What is wrong with the edit, or Redis.
    pub async fn edit(
        &self,
        vendor: Vendor,
        id: &str,
        edits: &BTreeMap<String, String>,
        by: &Actor,
    ) -> Result<EditOutcome, EditError> {
        let Some((_, record)) = self.queue.row(id).await? else {
            return Ok(EditOutcome::Gone);
        };
        let (row, _) = self
            .tried(vendor, &record, edits)
            .map_err(EditError::Problems)?;
        let edited = Record {
            xid: record.xid.clone(),
            row: to_raw_value(&row).map_err(|_| {
                EditError::Problems(vec![problem("", "it cannot be written as JSON")])
            })?,
        };
        let fields: Vec<String> = edits.keys().cloned().collect();
        let done = self
            .queue
            .edit(vendor, id, &record, &edited, &fields, by)
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

    /// The edited row, and what it would be sent as.
    fn tried(
        &self,
        vendor: Vendor,
        record: &Record,
        edits: &BTreeMap<String, String>,
    ) -> Result<(Value, Option<Value>), Vec<EditProblem>> {
        let unreadable = |cause: String| vec![problem("", &cause)];
        let row = change::parse(record.row.get(), &self.names)
            .map_err(|error| unreadable(error.to_string()))?;
        let row = editing::edited(&row, &self.names, edits).map_err(|problems| {
            let problems = problems.into_iter();
            problems
                .map(|(field, why)| problem(&field, why))
                .collect::<Vec<_>>()
        })?;
        change::decode(&row, &self.names, &self.timezone)
            .map_err(|error| unreadable(error.to_string()))?;
        let document = self.would_send(vendor, &row).transpose();
        let document = document.map_err(|death| unreadable(death.cause))?;
        Ok((row, document))
    }
}

fn problem(field: &str, problem: &str) -> EditProblem {
    EditProblem {
        field: field.to_owned(),
        problem: problem.to_owned(),
    }
}
