//! One dead letter: what is known of it, its row, and an edit of it.

use std::collections::BTreeMap;

use axum::{Json, http::StatusCode};
use jobs::destination::Vendor;
use queue::letters::Letter;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    asking::{Desk, Named, Sent},
    error::ApiError,
    letters::sees_people,
};
use crate::{
    console::visitor::{Operator, Visitor},
    operations::{
        Operations,
        editing::{EditError, EditOutcome},
        revealing::Revealed,
        wire::FieldProblem,
    },
};

/// The row behind a letter, and what was made of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Row {
    /// As AlumnIQ sent it, or as it was edited since.
    #[schema(value_type = Value)]
    pub row: Value,
    /// The document of the last attempt; absent where nothing was sent.
    #[schema(value_type = Option<Object>)]
    pub sent: Option<Value>,
}

/// What is to be another in the row.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewValues {
    /// Canonical field -> its new text; blank takes it away. All but changeId, xid and changedOn can be edited.
    pub fields: BTreeMap<String, String>,
    /// Only show what would be sent; that somebody looked stands in the audit.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of an edit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EditDone {
    /// Whether the letter is back at work.
    pub replayed: bool,
    /// What would be sent; only where nothing was done, and where the destination gets a document.
    #[schema(value_type = Option<Object>)]
    pub would_send: Option<Value>,
}

/// One dead letter
#[utoipa::path(
    get,
    path = "/dead-letters/{destination}/{change_id}",
    tag = "dead letters",
    params(("destination" = Vendor, Path, description = "Where it died"), ("change_id" = String, Path, description = "AlumnIQ's changeId")),
    responses((status = OK, description = "What is known of it", body = Letter))
)]
pub(super) async fn show(
    visitor: Visitor,
    Desk(desk): Desk,
    Named((destination, change_id)): Named<(Vendor, String)>,
) -> Result<Json<Letter>, ApiError> {
    let mut letter = letter(&desk, destination, &change_id).await?;
    if !visitor.sees_people {
        letter.xid = None;
    }
    Ok(Json(letter))
}

/// The row behind a dead letter, and what was sent before it died; who looks is written into the audit
#[utoipa::path(
    get,
    path = "/dead-letters/{destination}/{change_id}/row",
    tag = "dead letters",
    params(("destination" = Vendor, Path, description = "Where it died"), ("change_id" = String, Path, description = "AlumnIQ's changeId")),
    responses((status = OK, description = "The row", body = Row))
)]
pub(super) async fn row(
    visitor: Visitor,
    Desk(desk): Desk,
    Named((destination, change_id)): Named<(Vendor, String)>,
) -> Result<Json<Row>, ApiError> {
    sees_people(&visitor)?;
    letter(&desk, destination, &change_id).await?;
    let Revealed { row, sent } = desk
        .reveal_row(destination, &change_id, &visitor.actor)
        .await?;
    let record = row.ok_or_else(|| no_letter(destination, &change_id))?;
    // A row that is no JSON any more is shown as the text that it is.
    let row = serde_json::from_str(record.row.get());
    Ok(Json(Row {
        row: row.unwrap_or_else(|_| record.row.get().into()),
        sent: sent.and_then(|sent| serde_json::from_str(&sent).ok()),
    }))
}

/// Edit the row behind a dead letter and replay it, unless it would only die again
#[utoipa::path(
    post,
    path = "/dead-letters/{destination}/{change_id}/edit",
    tag = "dead letters",
    params(("destination" = Vendor, Path, description = "Where it died"), ("change_id" = String, Path, description = "AlumnIQ's changeId")),
    request_body = NewValues,
    responses((status = OK, description = "It is replayed, or what would be sent", body = EditDone))
)]
pub(super) async fn edit(
    Operator(visitor): Operator,
    Desk(desk): Desk,
    Named((destination, change_id)): Named<(Vendor, String)>,
    Sent(asked): Sent<NewValues>,
) -> Result<Json<EditDone>, ApiError> {
    sees_people(&visitor)?;
    if asked.fields.is_empty() {
        return Err(ApiError::invalid_field("fields", "name at least one"));
    }
    letter(&desk, destination, &change_id).await?;
    if asked.dry_run {
        desk.reveal(destination, &change_id, &visitor.actor).await?;
        let would_send = desk
            .preview_edit(destination, &change_id, &asked.fields)
            .await?;
        return Ok(Json(EditDone {
            replayed: false,
            would_send,
        }));
    }
    let edited = desk
        .edit(destination, &change_id, &asked.fields, &visitor.actor)
        .await?;
    match edited {
        EditOutcome::Replayed => Ok(Json(EditDone {
            replayed: true,
            would_send: None,
        })),
        EditOutcome::Changed => Err(ApiError::new(
            StatusCode::CONFLICT,
            "the row is another by now: somebody was faster, or AlumnIQ sent it anew",
            "look at it again, then decide; nothing was changed",
        )),
        EditOutcome::Gone => Err(no_letter(destination, &change_id)),
    }
}

async fn letter(
    desk: &Operations,
    destination: Vendor,
    change_id: &str,
) -> Result<Letter, ApiError> {
    let letters = desk.letters_of(change_id).await?;
    let mut letters = letters.into_iter();
    letters
        .find(|letter| letter.destination == destination)
        .ok_or_else(|| no_letter(destination, change_id))
}

fn no_letter(destination: Vendor, change_id: &str) -> ApiError {
    ApiError::not_found(
        format!("change {change_id} has no dead letter at {destination} (any more)"),
        "see /api/v1/dead-letters, or its timeline under /api/v1/changes",
    )
}

impl From<EditError> for ApiError {
    fn from(error: EditError) -> Self {
        let message = error.to_string();
        match error {
            EditError::Queue(error) => error.into(),
            EditError::Problems(problems) => {
                let problems = problems.into_iter().map(|problem| FieldProblem {
                    field: problem.field,
                    problem: problem.problem,
                });
                Self::invalid(message, problems.collect())
            }
        }
    }
}
