//! Who did what.

use axum::Json;
use queue::audit::{AuditAction, AuditFilter, AuditPage};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{asking::ApiQuery, error::ApiError};
use crate::{
    console::visitor::Visitor,
    operations::client::{Local, OperatorClient},
};

/// How many entries a page has where nobody says otherwise.
const PAGE: u16 = 50;

/// No place is behind it: programs that read numbers as JavaScript does know them all.
const LAST: u64 = (1 << 53) - 1;

/// Which entries, and which page of them. What is absent is any.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditParams {
    /// Whose
    by: Option<String>,
    /// Which kind
    action: Option<AuditAction>,
    /// About which change
    change_id: Option<String>,
    /// Where to go on: `next` of the page before
    #[param(maximum = 9007199254740991_i64)]
    cursor: Option<u64>,
    /// How many at most
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u16>,
}

/// Who did what, when, to which changes
///
/// The newest first. Where a filter is rare a page may hold fewer entries than asked for, even none, and still have
/// a `next`. Who may not see people gets no reasons: they may name somebody.
#[utoipa::path(
    get,
    path = "/audit",
    tag = "audit",
    params(AuditParams),
    responses((status = OK, description = "A page, and where the next one begins", body = AuditPage))
)]
pub(super) async fn audit(
    visitor: Visitor,
    client: Local,
    ApiQuery(page): ApiQuery<AuditParams>,
) -> Result<Json<AuditPage>, ApiError> {
    let limit = super::page_size(page.limit, PAGE)?;
    if page.cursor.is_some_and(|cursor| cursor > LAST) {
        return Err(ApiError::bad_request(
            "it is no cursor",
            "take the one at the end of the page before (`next`)",
        ));
    }
    let filter = AuditFilter {
        by: page.by,
        action: page.action,
        change_id: page.change_id,
    };
    let mut page = client.audit(&filter, page.cursor, limit).await?;
    if !visitor.sees_people {
        // Written freely, a reason may name a person.
        page.items.iter_mut().for_each(|entry| entry.reason = None);
    }
    Ok(Json(page))
}
