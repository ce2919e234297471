//! The gates.

use axum::Json;
use jobs::destination::Vendor;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    asking::{Desk, Named},
    error::ApiError,
};
use crate::console::visitor::Operator;

/// What an operator made of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gate {
    /// Whose.
    pub destination: Vendor,
    /// Whether an operator holds it shut.
    pub paused: bool,
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
    Operator(visitor): Operator,
    Desk(desk): Desk,
    Named(destination): Named<Vendor>,
) -> Result<Json<Gate>, ApiError> {
    desk.queue.pause(destination, &visitor.actor).await?;
    Ok(Json(Gate {
        destination,
        paused: true,
    }))
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
    Operator(visitor): Operator,
    Desk(desk): Desk,
    Named(destination): Named<Vendor>,
) -> Result<Json<Gate>, ApiError> {
    desk.queue.resume(destination, &visitor.actor).await?;
    Ok(Json(Gate {
        destination,
        paused: false,
    }))
}
