//! One person.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    asking::{Desk, Named},
    error::ApiError,
    letters::sees_people,
};
use crate::{console::visitor::Visitor, queue::timeline::Timeline};

/// Everything that is known of one person's changes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The constituent's id.
    pub xid: String,
    /// The newest first; of those that are through, the newest hundred. Empty where none is known.
    pub changes: Vec<Timeline>,
}

/// All changes of one person, across destinations
#[utoipa::path(
    get,
    path = "/people/{xid}",
    tag = "people",
    params(("xid" = String, Path, description = "The constituent's id")),
    responses((status = OK, description = "What is known", body = Person))
)]
pub(super) async fn person(
    visitor: Visitor,
    Desk(desk): Desk,
    Named(xid): Named<String>,
) -> Result<Json<Person>, ApiError> {
    sees_people(&visitor)?;
    let changes = desk.queue.person(&xid).await?;
    Ok(Json(Person { xid, changes }))
}
