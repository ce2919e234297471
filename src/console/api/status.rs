//! Everything at a glance, and the campus that it is about.

use axum::Json;
use queue::stats::Status;

use super::error::ApiError;
use crate::operations::{
    client::{Local, OperatorClient},
    overview::Overview,
    wire::Campus,
};

/// Counts, pauses, processes and the books
#[utoipa::path(
    get,
    path = "/status",
    tag = "overview",
    responses((status = OK, description = "At one instant", body = Status))
)]
pub(super) async fn status(client: Local) -> Result<Json<Status>, ApiError> {
    Ok(Json(client.status().await?))
}

/// What the console's overview shows
#[utoipa::path(
    get,
    path = "/overview",
    tag = "overview",
    responses((status = OK, description = "At one instant", body = Overview))
)]
pub(super) async fn overview(client: Local) -> Result<Json<Overview>, ApiError> {
    Ok(Json(client.overview().await?))
}

/// The campus: its namespace, time zone and destinations
#[utoipa::path(
    get,
    path = "/campus",
    tag = "overview",
    responses((status = OK, description = "As it is configured", body = Campus))
)]
pub(super) async fn campus(client: Local) -> Result<Json<Campus>, ApiError> {
    Ok(Json(client.campus().await?))
}
