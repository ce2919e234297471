//! The destinations: what is known of each, and its gate.

use axum::Json;
use jobs::destination::Vendor;

use super::{asking::Named, error::ApiError};
use crate::{
    console::visitor::Operator,
    operations::{
        client::{Local, OperatorClient},
        destinations::{Destinations, Gate},
    },
};

/// Every destination: its counts, its gate, its limits and the newest calls to it
#[utoipa::path(
    get,
    path = "/destinations",
    tag = "destinations",
    responses((status = OK, description = "Each of them", body = Destinations))
)]
pub(super) async fn list(client: Local) -> Result<Json<Destinations>, ApiError> {
    Ok(Json(client.destinations().await?))
}

/// Hold a destination's changes back, for the whole fleet
#[utoipa::path(
    post,
    path = "/destinations/{destination}/pause",
    tag = "destinations",
    params(("destination" = Vendor, Path, description = "Which one; alumniq: what it is told")),
    responses((status = OK, description = "It is paused until it is resumed", body = Gate))
)]
pub(super) async fn pause(
    _: Operator,
    client: Local,
    Named(destination): Named<Vendor>,
) -> Result<Json<Gate>, ApiError> {
    Ok(Json(client.pause(destination).await?))
}

/// Let a destination's changes go on, whoever paused it
#[utoipa::path(
    post,
    path = "/destinations/{destination}/resume",
    tag = "destinations",
    params(("destination" = Vendor, Path, description = "Which one; alumniq: what it is told")),
    responses((status = OK, description = "It goes on", body = Gate))
)]
pub(super) async fn resume(
    _: Operator,
    client: Local,
    Named(destination): Named<Vendor>,
) -> Result<Json<Gate>, ApiError> {
    Ok(Json(client.resume(destination).await?))
}
