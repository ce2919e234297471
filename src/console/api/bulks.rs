//! Bulks.

use axum::{Json, http::StatusCode};
use queue::bulk::{BulkList, BulkView};

use super::{
    asking::{Desk, Named, Sent},
    error::ApiError,
    letters::may_filter,
};
use crate::{
    console::visitor::{Operator, Visitor},
    operations::bulk::{BulkError, NewBulk},
};

/// The newest bulks
#[utoipa::path(
    get,
    path = "/bulks",
    tag = "bulks",
    responses((status = OK, description = "The newest first", body = BulkList))
)]
pub(super) async fn list(visitor: Visitor, Desk(desk): Desk) -> Result<Json<BulkList>, ApiError> {
    let items = desk.bulks().await?.into_iter();
    Ok(Json(BulkList {
        items: items.map(|bulk| shown(bulk, &visitor)).collect(),
    }))
}

/// Begin a bulk: it goes on by itself, whichever process dies
#[utoipa::path(
    post,
    path = "/bulks",
    tag = "bulks",
    request_body = NewBulk,
    responses((status = CREATED, description = "It has begun", body = BulkView))
)]
pub(super) async fn start(
    Operator(visitor): Operator,
    Desk(desk): Desk,
    Sent(asked): Sent<NewBulk>,
) -> Result<(StatusCode, Json<BulkView>), ApiError> {
    may_filter(&visitor, &asked.filter)?;
    let bulk = desk.start_bulk(asked, visitor.actor).await?;
    Ok((StatusCode::CREATED, Json(bulk)))
}

/// How far a bulk is
#[utoipa::path(
    get,
    path = "/bulks/{id}",
    tag = "bulks",
    params(("id" = String, Path, description = "The bulk")),
    responses((status = OK, description = "As it stands", body = BulkView))
)]
pub(super) async fn show(
    visitor: Visitor,
    Desk(desk): Desk,
    Named(id): Named<String>,
) -> Result<Json<BulkView>, ApiError> {
    let bulk = desk.bulk(&id).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(shown(bulk, &visitor)))
}

/// End a bulk before its next step; one that is over stays as it is
#[utoipa::path(
    post,
    path = "/bulks/{id}/cancel",
    tag = "bulks",
    params(("id" = String, Path, description = "The bulk")),
    responses((status = OK, description = "Nothing of it follows", body = BulkView))
)]
pub(super) async fn cancel(
    Operator(visitor): Operator,
    Desk(desk): Desk,
    Named(id): Named<String>,
) -> Result<Json<BulkView>, ApiError> {
    let bulk = desk.cancel_bulk(&id, &visitor.actor).await?;
    Ok(Json(bulk.ok_or_else(|| unknown(&id))?))
}

fn unknown(id: &str) -> ApiError {
    ApiError::not_found(
        format!("there is no bulk {id}"),
        "see /api/v1/bulks for the newest hundred",
    )
}

fn shown(mut bulk: BulkView, visitor: &Visitor) -> BulkView {
    if !visitor.sees_people {
        bulk.filter.xid = None;
        bulk.reason.clear();
    }
    bulk
}

impl From<BulkError> for ApiError {
    fn from(error: BulkError) -> Self {
        match error {
            BulkError::Queue(error) => error.into(),
            BulkError::Reason(error) => error.into(),
        }
    }
}
