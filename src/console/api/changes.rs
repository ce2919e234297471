//! One change.

use axum::Json;
use queue::timeline::Timeline;

use super::{
    asking::{Desk, Named},
    error::ApiError,
};
use crate::console::visitor::Visitor;

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
    Desk(desk): Desk,
    Named(change_id): Named<String>,
) -> Result<Json<Timeline>, ApiError> {
    let Some(mut timeline) = desk.timeline(&change_id).await? else {
        return Err(ApiError::not_found(
            format!("nothing is known of change {change_id}"),
            "it was never fetched, or its history has expired (`history.keep`)",
        ));
    };
    if !visitor.sees_people {
        timeline = timeline.without_people();
    }
    Ok(Json(timeline))
}
