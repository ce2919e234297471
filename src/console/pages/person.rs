//! `/people/{xid}`: all changes of one person.

use axum::{
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};
use jobs::destination::Destination;
use maud::{Markup, html};
use queue::{person::PersonCursor, timeline::Timeline};
use serde::Deserialize;

use super::{
    asked::PageContext,
    change::state,
    layout::Tab,
    links,
    text::{changes, foreign, moment},
};
use crate::operations::{client::OperatorClient, wire::Person};

/// How many changes a page shows.
const PAGE: usize = 50;

/// The page.
pub async fn show(
    asked: PageContext,
    Path(xid): Path<String>,
    Query(wanted): Query<PersonPageQuery>,
) -> Response {
    one(&asked, &xid, wanted.cursor.parse().ok().as_ref()).await
}

/// Where a page begins; what is no cursor is the first one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PersonPageQuery {
    cursor: String,
}

/// The same for an xid that no path can hold.
pub async fn one(asked: &PageContext, xid: &str, cursor: Option<&PersonCursor>) -> Response {
    if !asked.sees_people() {
        let main = html! { p { "People are hidden from viewers here (" code { "console.viewer_sees_people" } ")." } };
        let what = "You cannot look at people";
        return asked.problem(StatusCode::FORBIDDEN, Tab::Changes, what, &main);
    }
    match asked.client.person(xid, cursor, PAGE).await {
        Ok(page) if page.changes.is_empty() && page.next.is_none() => asked.not_found(
            Tab::Changes,
            "Nothing is known of this person",
            "No change of theirs was fetched, or its history has expired (history.keep). People are looked up by their whole xid.",
        ),
        Ok(page) => asked.page(Tab::Changes, "A person", &main(asked, xid, cursor.is_some(), &page)),
        Err(error) => asked.failed(Tab::Changes, &error),
    }
}

fn main(asked: &PageContext, xid: &str, is_later: bool, page: &Person) -> Markup {
    let enabled = &asked.campus.destinations;
    html! {
        div.title { h1 { "Person " (foreign(xid)) } @if page.next.is_none() && !is_later { span.tag { (changes(page.changes.len() as u64)) } } }
        section.card aria-label="Changes" {
            table {
                thead { tr {
                    th scope="col" { "Change" } th scope="col" { "State" }
                    @for destination in enabled { th scope="col" { (destination.label()) } }
                    th scope="col" { "Last" } th scope="col" { span.away { "When" } }
                } }
                tbody { @for timeline in &page.changes { (row(asked, timeline, enabled)) } }
            }
            nav.pages aria-label="Pages" {
                @if is_later { a href=(links::person(xid)) { "First page" } }
                @if let Some(next) = &page.next { a rel="next" href=(links::person_after(xid, &next.to_string())) { "Next page" } }
            }
        }
        p.note { "Dead changes first, then those on the way, then those that are through, while their history is kept; of these the newest first." }
    }
}

fn row(asked: &PageContext, timeline: &Timeline, enabled: &[Destination]) -> Markup {
    let last = timeline.events.last();
    let word = |field: &str| last.and_then(|event| event.get(field)?.as_str());
    html! {
        tr data-change=(timeline.change_id) {
            th scope="row" { a href=(links::change(&timeline.change_id)) { (foreign(&timeline.change_id)) } }
            td data-name="State" { (state(&timeline.state)) }
            @for destination in enabled {
                td data-name=(destination.label()) {
                    @match timeline.destinations.get(destination) {
                        Some(at) if *at == "dead" => { a href=(links::letter((*destination).into(), &timeline.change_id)) { "dead" } },
                        Some(at) => (at),
                        None => span.soft { "–" }
                    }
                }
            }
            td data-name="Last" { (word("event").unwrap_or_default().replace('_', " ")) }
            td data-name="When" { @if let Some(at) = word("at") { (moment(at, asked.zone())) } }
        }
    }
}
