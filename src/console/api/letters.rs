//! Dead letters.

use axum::Json;
use jiff::Timestamp;
use jobs::{destination::Vendor, outcome::DeadClass};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    asking::{Asked, Desk},
    error::ApiError,
};
use crate::{
    console::visitor::Visitor,
    operations::{Operations, moment::Moment},
    queue::letters::{LetterFilter, LetterPage, LetterRef},
};

/// How many letters a page has where nobody says otherwise.
const PAGE: u16 = 50;

/// Which dead letters. What is absent is any.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Where they died
    destination: Option<Vendor>,
    /// Which kind
    class: Option<DeadClass>,
    /// Whose: the constituent's id
    #[schema(min_length = 1)]
    #[param(min_length = 1)]
    xid: Option<String>,
    /// Died since
    since: Option<Moment>,
    /// Died before
    until: Option<Moment>,
}

impl Which {
    /// The filter that is meant by it. A viewer who may not see people cannot ask for one either.
    pub fn filter(self, visitor: &Visitor, desk: &Operations) -> Result<LetterFilter, ApiError> {
        if self.xid.is_some() {
            sees_people(visitor)?;
        }
        let now = Timestamp::now();
        let instant = |moment: Moment| moment.milliseconds(now, &desk.timezone);
        Ok(LetterFilter {
            vendor: self.destination,
            class: self.class,
            cause: None,
            xid: self.xid,
            since: self.since.map(instant),
            until: self.until.map(instant),
        })
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
pub(super) struct Page {
    /// Where they died
    destination: Option<Vendor>,
    /// Which kind
    class: Option<DeadClass>,
    /// Whose: the constituent's id
    #[param(min_length = 1)]
    xid: Option<String>,
    /// Died since
    since: Option<Moment>,
    /// Died before
    until: Option<Moment>,
    /// Where to go on: `next` of the page before
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,15}/(crm|salsa|alumniq)/[a-z_]+/.+$")]
    cursor: Option<LetterRef>,
    /// How many at most
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u16>,
}

impl Page {
    fn which(&self) -> Which {
        Which {
            destination: self.destination,
            class: self.class,
            xid: self.xid.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
        }
    }
}

/// One page of dead letters, oldest first
#[utoipa::path(
    get,
    path = "/dead-letters",
    tag = "dead letters",
    params(Page),
    responses((status = OK, description = "A page, and where the next one begins", body = LetterPage))
)]
pub(super) async fn list(
    visitor: Visitor,
    Desk(desk): Desk,
    Asked(page): Asked<Page>,
) -> Result<Json<LetterPage>, ApiError> {
    let filter = page.which().filter(&visitor, &desk)?;
    let limit = match page.limit.unwrap_or(PAGE) {
        limit @ 1..=1000 => usize::from(limit),
        _ => {
            return Err(ApiError::bad_request(
                "a page has between 1 and 1000 letters",
                "set `limit` so, and go on with `cursor`",
            ));
        }
    };
    let mut letters = desk
        .queue
        .letters(&filter, page.cursor.as_ref(), limit)
        .await?;
    if !visitor.sees_people {
        letters
            .items
            .iter_mut()
            .for_each(|letter| letter.xid = None);
    }
    Ok(Json(letters))
}
