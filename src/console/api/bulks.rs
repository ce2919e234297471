//! Bulks.

use axum::{Json, http::StatusCode};
use queue::bulk::{BulkAction, BulkList, BulkOrder, BulkView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    asking::{Desk, Named, Sent, object},
    error::ApiError,
    letters::filter,
};
use crate::{
    console::visitor::{Operator, Visitor},
    operations::{rate::Rate, reason::Reason, wanted::Wanted},
};

/// What is to be done with all letters that a filter matches.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBulk {
    /// What.
    pub action: BulkAction,
    /// With which letters; {} is all. Those that die after the start are left alone.
    #[serde(deserialize_with = "object")]
    pub filter: Wanted,
    /// Not faster than this; absent: as fast as it goes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate: Option<Rate>,
    /// Why, in at most 1,000 characters; a discard needs it.
    #[serde(default)]
    pub reason: String,
    /// A replay applies even over a newer change of the same person.
    #[serde(default)]
    pub apply_stale: bool,
    /// A discard does not tell AlumnIQ.
    #[serde(default)]
    pub keep_unacknowledged: bool,
}

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
    let filter = filter(&asked.filter, &visitor, &desk)?;
    let reason = match asked.action {
        BulkAction::Discard => Some(asked.reason.parse()?),
        BulkAction::Replay => Reason::optional(&asked.reason)?,
    };
    let bulk = desk
        .start_bulk(BulkOrder {
            action: asked.action,
            filter,
            rate: asked.rate.map(|rate| rate.to_string()),
            reason: reason.map(String::from).unwrap_or_default(),
            apply_stale: asked.apply_stale,
            keep_unacknowledged: asked.keep_unacknowledged,
            by: visitor.actor,
        })
        .await?;
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
