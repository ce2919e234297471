//! Bulks.

use axum::{Json, http::StatusCode};
use queue::bulk::{BulkList, BulkView};

use super::{
    asking::{ApiBody, Named},
    error::ApiError,
    letters::{may_filter, within_bound},
};
use crate::{
    console::visitor::{Operator, Visitor},
    operations::{
        bulk::NewBulk,
        client::{Local, OperatorClient},
    },
};

/// The newest bulks
#[utoipa::path(
    get,
    path = "/bulks",
    tag = "bulks",
    responses((status = OK, description = "The newest first", body = BulkList))
)]
pub(super) async fn list(visitor: Visitor, client: Local) -> Result<Json<BulkList>, ApiError> {
    let items = client.bulks().await?.into_iter();
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
    client: Local,
    ApiBody(asked): ApiBody<NewBulk>,
) -> Result<(StatusCode, Json<BulkView>), ApiError> {
    may_filter(&visitor, &asked.filter)?;
    within_bound("change_ids", &asked.change_ids)?;
    let bulk = client.start_bulk(asked).await?;
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
    client: Local,
    Named(id): Named<String>,
) -> Result<Json<BulkView>, ApiError> {
    let bulk = client.bulk(&id).await?;
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
    _: Operator,
    client: Local,
    Named(id): Named<String>,
) -> Result<Json<BulkView>, ApiError> {
    Ok(Json(client.cancel_bulk(&id).await?))
}

fn shown(mut bulk: BulkView, visitor: &Visitor) -> BulkView {
    if !visitor.sees_people {
        bulk.filter.xid = None;
        bulk.reason.clear();
    }
    bulk
}
