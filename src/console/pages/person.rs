//! `/people/{xid}`: all changes of one person.

use axum::{extract::Path, http::StatusCode, response::Response};
use jobs::destination::Destination;
use maud::{Markup, html};

use super::{
    asked::Asked,
    change::state,
    layout::Tab,
    links,
    text::{self, changes, foreign, moment},
};
use crate::queue::timeline::Timeline;

/// The page.
pub async fn show(asked: Asked, Path(xid): Path<String>) -> Response {
    one(&asked, &xid).await
}

/// The same for an xid that no path can hold.
pub async fn one(asked: &Asked, xid: &str) -> Response {
    if !asked.sees_people() {
        let main = html! { p { "People are hidden from viewers here (" code { "console.viewer_sees_people" } ")." } };
        let what = "You cannot look at people";
        return asked.problem(StatusCode::FORBIDDEN, Tab::Changes, what, &main);
    }
    match asked.operations.queue.person(xid).await {
        Ok(timelines) if timelines.is_empty() => asked.not_found(
            Tab::Changes,
            "Nothing is known of this person",
            "No change of theirs was fetched, or its history has expired (history.keep). People are looked up by their whole xid.",
        ),
        Ok(timelines) => asked.page(Tab::Changes, "A person", &main(asked, xid, &timelines)),
        Err(error) => asked.failed(Tab::Changes, &error),
    }
}

fn main(asked: &Asked, xid: &str, timelines: &[Timeline]) -> Markup {
    let enabled = &asked.operations.queue.settings().destinations;
    html! {
        div.title { h1 { "Person " (foreign(xid)) } span.tag { (changes(timelines.len() as u64)) } }
        section.card aria-label="Changes" {
            table {
                thead { tr {
                    th scope="col" { "Change" } th scope="col" { "State" }
                    @for destination in enabled { th scope="col" { (text::destination(*destination)) } }
                    th scope="col" { "Last" } th scope="col" { span.away { "When" } }
                } }
                tbody { @for timeline in timelines { (row(asked, timeline, enabled)) } }
            }
        }
        p.note { "The newest fetch first. Of changes that are through, the newest 100 are known while their history is kept." }
    }
}

fn row(asked: &Asked, timeline: &Timeline, enabled: &[Destination]) -> Markup {
    let last = timeline.events.last();
    let word = |field: &str| last.and_then(|event| event.get(field)?.as_str());
    html! {
        tr data-change=(timeline.change_id) {
            th scope="row" { a href=(links::change(&timeline.change_id)) { (foreign(&timeline.change_id)) } }
            td data-name="State" { (state(&timeline.state)) }
            @for destination in enabled {
                td data-name=(text::destination(*destination)) {
                    @match timeline.destinations.get(destination) {
                        Some(at) if *at == "dead" => { a href=(links::letter((*destination).into(), &timeline.change_id)) { "dead" } },
                        Some(at) => (at),
                        None => span.soft { "–" }
                    }
                }
            }
            td data-name="Last" { (word("event").unwrap_or_default().replace('_', " ")) }
            td data-name="When" { @if let Some(at) = word("at") { (moment(at, &asked.operations.timezone)) } }
        }
    }
}
