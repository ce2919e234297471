//! One person.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    asking::{Desk, Named, Sent, to_its_end},
    error::ApiError,
    letters::{sees_people, words},
};
use crate::{
    console::visitor::{Operator, Visitor},
    operations::erase::PersonErased,
    queue::timeline::Timeline,
};

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

/// How a person is erased.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewErasure {
    /// Why; it stays in the audit, so name nobody in it.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub reason: String,
    /// AlumnIQ is not told of what was still open: it goes on listing it.
    #[serde(default)]
    pub keep_unacknowledged: bool,
}

/// Remove what Redis holds of one person
///
/// It cannot be undone, and goes on where whoever asked for it does not wait: until Redis has rewritten its files,
/// two minutes at most. AlumnIQ, the CRM and Salsa keep what they have.
#[utoipa::path(
    post,
    path = "/people/{xid}/erase",
    tag = "people",
    params(("xid" = String, Path, description = "The constituent's id")),
    request_body = NewErasure,
    responses((status = OK, description = "What was removed, and what holds their data still", body = PersonErased))
)]
pub(super) async fn erase(
    Operator(visitor): Operator,
    Desk(desk): Desk,
    Named(xid): Named<String>,
    Sent(asked): Sent<NewErasure>,
) -> Result<Json<PersonErased>, ApiError> {
    sees_people(&visitor)?;
    let reason = words(&asked.reason)?.to_owned();
    let erasing = to_its_end(async move {
        let tell = !asked.keep_unacknowledged;
        desk.erase(&xid, &reason, tell, &visitor.actor).await
    });
    Ok(Json(erasing.await??.into()))
}
