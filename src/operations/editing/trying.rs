//! Whether a destination would take an edited row, and if not, which of its fields is to blame.

use std::collections::{BTreeMap, BTreeSet};

use jobs::{
    change::{self, editing},
    destination::Vendor,
    trial::{Death, Trial},
};
use queue::Record;
use serde_json::Value;

use crate::operations::error::FieldProblem;

/// Between the problems of a cause.
const AND: &str = "; ";

/// What `vendor` would be sent for `row`; `None` where it gets no document.
fn document(trial: &Trial<'_>, vendor: Vendor, row: &Value) -> Option<Result<Value, Death>> {
    let mut tried = trial.of(row);
    let mapped = tried.destinations.remove(&vendor.destination()?)?;
    Some(mapped.map(|mapped| Value::Object(mapped.document)))
}

/// The edited row, and what it would be sent as.
pub(super) fn tried(
    trial: &Trial<'_>,
    vendor: Vendor,
    record: &Record,
    edits: &BTreeMap<String, String>,
) -> Result<(Value, Option<Value>), Vec<FieldProblem>> {
    let row = change::parse(record.row.get(), trial.names)
        .map_err(|error| vec![problem("", &error.to_string())])?;
    let row = editing::edited(&row, trial.names, edits).map_err(|problems| {
        let problems = problems.into_iter();
        problems
            .map(|(field, why)| problem(&field, why))
            .collect::<Vec<_>>()
    })?;
    match judged(trial, vendor, &row) {
        Ok(document) => Ok((row, document)),
        Err(cause) => Err(blamed(trial, vendor, &row, &cause)),
    }
}

/// The document of a row, or all that is wrong with it.
pub(super) fn judged(
    trial: &Trial<'_>,
    vendor: Vendor,
    row: &Value,
) -> Result<Option<Value>, String> {
    change::decode(row, trial.names, trial.timezone).map_err(|error| error.cause)?;
    let document = document(trial, vendor, row).transpose();
    document.map_err(|death| death.cause)
}

/// Every problem of a row beside the field without which it would not be there. A cause names the vendor's fields,
/// and which of the row's fields fill them only the templates know: so each is left out once.
fn blamed(trial: &Trial<'_>, vendor: Vendor, row: &Value, cause: &str) -> Vec<FieldProblem> {
    let parts: Vec<&str> = cause.split(AND).collect();
    let mut problems = Vec::new();
    let mut explained = BTreeSet::new();
    for field in trial.names.canonical() {
        let nothing = BTreeMap::from([(field.to_owned(), String::new())]);
        let Ok(without) = editing::edited(row, trial.names, &nothing) else {
            continue;
        };
        let left = judged(trial, vendor, &without).err().unwrap_or_default();
        let left: BTreeSet<&str> = left.split(AND).filter(|part| !part.is_empty()).collect();
        // Where something else is wrong without the field, nothing is proved.
        if !left.iter().all(|part| parts.contains(part)) {
            continue;
        }
        for part in parts.iter().filter(|part| !left.contains(*part)) {
            problems.push(problem(field, part));
            explained.insert(*part);
        }
    }
    let rest = parts.iter().filter(|part| !explained.contains(*part));
    problems.extend(rest.map(|part| problem("", part)));
    problems
}

pub(super) fn problem(field: &str, problem: &str) -> FieldProblem {
    FieldProblem {
        field: field.to_owned(),
        problem: problem.to_owned(),
    }
}
