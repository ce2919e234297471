//! One dead letter: what is known of it, its row, and an edit of it.

use axum::Json;
use jobs::destination::Vendor;
use queue::letters::Letter;

use super::{
    asking::{ApiBody, Named},
    error::ApiError,
    letters::sees_people,
};
use crate::{
    console::visitor::{Operator, Visitor},
    operations::{
        client::{Local, OperatorClient},
        wire::{Draft, EditDone, NewValues, Row},
    },
};

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
    client: Local,
    Named((destination, change_id)): Named<(Vendor, String)>,
) -> Result<Json<Letter>, ApiError> {
    let mut letter = client.letter(destination, &change_id).await?;
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
    client: Local,
    Named((destination, change_id)): Named<(Vendor, String)>,
) -> Result<Json<Row>, ApiError> {
    sees_people(&visitor)?;
    Ok(Json(client.row(destination, &change_id).await?))
}

/// The row behind a dead letter, field by field, as an edit begins with it; who looks is written into the audit, once an hour
#[utoipa::path(
    get,
    path = "/dead-letters/{destination}/{change_id}/draft",
    tag = "dead letters",
    params(("destination" = Vendor, Path, description = "Where it died"), ("change_id" = String, Path, description = "AlumnIQ's changeId")),
    responses((status = OK, description = "Its fields", body = Draft))
)]
pub(super) async fn draft(
    Operator(visitor): Operator,
    client: Local,
    Named((destination, change_id)): Named<(Vendor, String)>,
) -> Result<Json<Draft>, ApiError> {
    sees_people(&visitor)?;
    Ok(Json(client.draft(destination, &change_id).await?))
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
    client: Local,
    Named((destination, change_id)): Named<(Vendor, String)>,
    ApiBody(asked): ApiBody<NewValues>,
) -> Result<Json<EditDone>, ApiError> {
    sees_people(&visitor)?;
    Ok(Json(client.edit(destination, &change_id, asked).await?))
}
