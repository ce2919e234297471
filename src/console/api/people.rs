//! One person.

use axum::Json;
use queue::person::PersonCursor;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    asking::{ApiBody, ApiQuery, Named, to_its_end},
    error::ApiError,
    letters::sees_people,
};
use crate::{
    console::visitor::{Operator, Visitor},
    operations::{
        client::{Local, OperatorClient},
        erase::PersonErased,
        wire::{EraseRequest, Person},
    },
};

/// How many changes a page has where nothing else is asked for.
const PAGE: u16 = 50;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PersonPages {
    /// Where to go on: `next` of the page before
    #[param(value_type = Option<String>, pattern = "^[123]/[0-9]{1,15}/.*$")]
    cursor: Option<PersonCursor>,
    /// How many at most
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u16>,
}

/// One page of the changes of one person, across destinations
#[utoipa::path(
    get,
    path = "/people/{xid}",
    tag = "people",
    params(("xid" = String, Path, description = "The constituent's id"), PersonPages),
    responses((status = OK, description = "A page of what is known, and where the next one begins", body = Person))
)]
pub(super) async fn person(
    visitor: Visitor,
    client: Local,
    Named(xid): Named<String>,
    ApiQuery(page): ApiQuery<PersonPages>,
) -> Result<Json<Person>, ApiError> {
    sees_people(&visitor)?;
    let limit = super::page_size(page.limit, PAGE)?;
    let person = client.person(&xid, page.cursor.as_ref(), limit).await?;
    Ok(Json(person))
}

/// Remove what Redis holds of one person
///
/// It cannot be undone, and goes on where whoever asked for it does not wait: until Redis has rewritten its files,
/// two minutes at most. AlumnIQ and the destinations keep what they have.
#[utoipa::path(
    post,
    path = "/people/{xid}/erase",
    tag = "people",
    params(("xid" = String, Path, description = "The constituent's id")),
    request_body = EraseRequest,
    responses((status = OK, description = "What was removed, and what holds their data still", body = PersonErased))
)]
pub(super) async fn erase(
    Operator(visitor): Operator,
    client: Local,
    Named(xid): Named<String>,
    ApiBody(asked): ApiBody<EraseRequest>,
) -> Result<Json<PersonErased>, ApiError> {
    sees_people(&visitor)?;
    let erasing = to_its_end(async move { client.erase(&xid, asked).await });
    Ok(Json(erasing.await??))
}
