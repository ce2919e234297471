//! One change.

use axum::Json;
use queue::timeline::Timeline;

use super::{asking::Named, error::ApiError};
use crate::{
    console::visitor::Visitor,
    operations::{
        client::{Local, OperatorClient},
        error::{OperatorError, RefusalKind},
    },
};

/// One change's timeline, from its fetch to its acknowledgement
#[utoipa::path(
    get,
    path = "/changes/{change_id}",
    tag = "changes",
    params(("change_id" = String, Path, description = "AlumnIQ's changeId")),
    responses((status = OK, description = "What is known of it", body = Timeline))
)]
pub(super) async fn change(
    visitor: Visitor,
    client: Local,
    Named(change_id): Named<String>,
) -> Result<Json<Timeline>, ApiError> {
    let Some(mut timeline) = client.timeline(&change_id).await? else {
        let message = format!("nothing is known of change {change_id}");
        let advice = "it was never fetched, or its history has expired (`history.keep`)";
        return Err(OperatorError::refused(RefusalKind::NotFound, message, advice).into());
    };
    if !visitor.sees_people {
        timeline = timeline.without_people();
    }
    Ok(Json(timeline))
}
