//! Dead letters.

use axum::Json;
use queue::letters::{DeadLetterOrder, LetterPage, LetterRef};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    asking::{ApiBody, ApiQuery},
    error::ApiError,
};
use crate::{
    console::visitor::{Operator, Visitor},
    operations::{
        client::{Local, OperatorClient},
        dead_letters::{DeadLetterFilter, HANDLED_AT_ONCE, LetterName},
        error::OperatorError,
        wire::{DiscardRequest, LetterGroups, LettersHandled, ReplayRequest},
    },
};

/// How many letters a page has where nobody says otherwise.
const PAGE: u16 = 50;

/// Refuses a filter by person from who may not see people.
pub(super) fn may_filter(visitor: &Visitor, filter: &DeadLetterFilter) -> Result<(), ApiError> {
    match filter.xid {
        Some(_) => sees_people(visitor),
        None => Ok(()),
    }
}

/// Refuses who may not see people.
pub(super) fn sees_people(visitor: &Visitor) -> Result<(), ApiError> {
    if visitor.sees_people {
        return Ok(());
    }
    Err(ApiError::people_hidden())
}

/// Which dead letters, and which page of them. What is absent is any.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LetterQuery {
    // Its parameters are listed beside this one's.
    #[serde(flatten)]
    #[param(ignore)]
    filter: DeadLetterFilter,
    /// By the time of death: `oldest` (the default) or `newest` first
    order: Option<OrderWord>,
    /// Where to go on: `next` of the page before, in the same order
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,15}/(crm|salsa|alumniq)/(undecodable|anonymous|mapping|validation|unmatched|rejected|exhausted|stale|crashed|ack_rejected)/.+$")]
    cursor: Option<LetterRef>,
    /// How many at most
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u16>,
}

/// In which order.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OrderWord {
    /// As they died
    Oldest,
    /// The newest first
    Newest,
}

impl From<OrderWord> for DeadLetterOrder {
    fn from(word: OrderWord) -> Self {
        match word {
            OrderWord::Oldest => Self::OldestFirst,
            OrderWord::Newest => Self::NewestFirst,
        }
    }
}

/// One page of dead letters, oldest first
#[utoipa::path(
    get,
    path = "/dead-letters",
    tag = "dead letters",
    params(DeadLetterFilter, LetterQuery),
    responses((status = OK, description = "A page, and where the next one begins", body = LetterPage))
)]
pub(super) async fn list(
    visitor: Visitor,
    client: Local,
    ApiQuery(page): ApiQuery<LetterQuery>,
) -> Result<Json<LetterPage>, ApiError> {
    may_filter(&visitor, &page.filter)?;
    let limit = super::page_size(page.limit, PAGE)?;
    let order = page.order.map(DeadLetterOrder::from).unwrap_or_default();
    let mut letters = client
        .letters(order, &page.filter, page.cursor.as_ref(), limit)
        .await?;
    if !visitor.sees_people {
        letters
            .items
            .iter_mut()
            .for_each(|letter| letter.xid = None);
    }
    Ok(Json(letters))
}

/// What is stuck and why: dead letters by cause, with counts
#[utoipa::path(
    get,
    path = "/dead-letters/groups",
    tag = "dead letters",
    params(DeadLetterFilter),
    responses((status = OK, description = "The most frequent first", body = LetterGroups))
)]
pub(super) async fn groups(
    visitor: Visitor,
    client: Local,
    ApiQuery(filter): ApiQuery<DeadLetterFilter>,
) -> Result<Json<LetterGroups>, ApiError> {
    may_filter(&visitor, &filter)?;
    let items = client.groups(&filter).await?;
    Ok(Json(LetterGroups { items }))
}

/// Put dead letters back to work
#[utoipa::path(
    post,
    path = "/dead-letters/replay",
    tag = "dead letters",
    request_body = ReplayRequest,
    responses((status = OK, description = "They were replayed, or counted", body = LettersHandled))
)]
pub(super) async fn replay(
    Operator(visitor): Operator,
    client: Local,
    ApiBody(asked): ApiBody<ReplayRequest>,
) -> Result<Json<LettersHandled>, ApiError> {
    may_handle(&visitor, &asked.ids, asked.filter.as_ref())?;
    Ok(Json(client.replay(asked).await?))
}

/// Give dead letters up
#[utoipa::path(
    post,
    path = "/dead-letters/discard",
    tag = "dead letters",
    request_body = DiscardRequest,
    responses((status = OK, description = "They were discarded, or counted", body = LettersHandled))
)]
pub(super) async fn discard(
    Operator(visitor): Operator,
    client: Local,
    ApiBody(asked): ApiBody<DiscardRequest>,
) -> Result<Json<LettersHandled>, ApiError> {
    may_handle(&visitor, &asked.ids, asked.filter.as_ref())?;
    Ok(Json(client.discard(asked).await?))
}

fn may_handle(
    visitor: &Visitor,
    ids: &[LetterName],
    filter: Option<&DeadLetterFilter>,
) -> Result<(), ApiError> {
    within_bound("ids", ids)?;
    filter.map_or(Ok(()), |filter| may_filter(visitor, filter))
}

/// Refuses more names than one request may have.
pub(super) fn within_bound<T>(field: &str, names: &[T]) -> Result<(), ApiError> {
    if names.len() <= HANDLED_AT_ONCE {
        return Ok(());
    }
    let problem = "name at most 5000 at a time";
    Err(OperatorError::invalid_field(field, problem).into())
}
