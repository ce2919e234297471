//! Everything at a glance.

use axum::Json;
use queue::stats::Status;

use super::error::ApiError;
use crate::operations::client::{Local, OperatorClient};

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
