//! Everything at a glance.

use axum::Json;
use queue::stats::Status;

use super::{asking::Desk, error::ApiError};
use crate::console::visitor::Visitor;

/// Counts, pauses, processes and the books
#[utoipa::path(
    get,
    path = "/status",
    tag = "overview",
    responses((status = OK, description = "At one instant", body = Status))
)]
pub(super) async fn status(_: Visitor, Desk(desk): Desk) -> Result<Json<Status>, ApiError> {
    Ok(Json(desk.status().await?))
}
