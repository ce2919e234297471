//! `/changes/{id}`: one change, from fetch to acknowledgement.

use axum::{extract::Path, response::Response};
use maud::{Markup, html};
use queue::timeline::Timeline;

use super::{
    asked::PageContext,
    layout::Tab,
    links,
    text::{self, foreign},
    timeline,
};

/// The page.
pub async fn show(asked: PageContext, Path(id): Path<String>) -> Response {
    one(&asked, &id).await
}

/// The same for an id that no path can hold.
pub async fn one(asked: &PageContext, id: &str) -> Response {
    match asked.timeline(id).await {
        Ok(Some(timeline)) => {
            let title = format!("Change {id}");
            asked.page(Tab::Changes, &title, &main(asked, &timeline))
        }
        Ok(None) => asked.not_found(
            Tab::Changes,
            "Nothing is known of this change",
            "It was never fetched, or its history has expired (history.keep). Changes are looked up by their whole changeId.",
        ),
        Err(error) => asked.failed(Tab::Changes, &error),
    }
}

fn main(asked: &PageContext, timeline: &Timeline) -> Markup {
    html! {
        div.title {
            h1 { "Change " (foreign(&timeline.change_id)) }
            (state(&timeline.state))
        }
        div.columns {
            section.card aria-label="Timeline" {
                h2 { "Timeline" }
                (timeline::list(&timeline.events, None, asked))
            }
            div.stack {
                section.card aria-label="Where it stands" {
                    h2 { "Where it stands" }
                    ul.rows {
                        @for (destination, state) in &timeline.destinations {
                            li { span { (destination.label()) } (self::state(state)) }
                        }
                        @if let Some(xid) = timeline.xid.as_deref().filter(|_| asked.sees_people()) {
                            li { span { "Person" } a href=(links::person(xid)) { (foreign(xid)) } }
                        }
                    }
                }
                @for letter in &timeline.letters {
                    section.card aria-label="Dead letter" {
                        h2 { "Dead at " (letter.destination.noun()) }
                        p { (text::class(letter.class)) " " (foreign(&letter.cause)) }
                        p.advice { (text::advice(&letter.advice)) }
                        p.actions { a.button.primary href=(links::letter(letter.destination, &letter.change_id)) { "Look" } }
                    }
                }
            }
        }
    }
}

/// A state's mark.
pub fn state(state: &str) -> Markup {
    let tone = match state {
        "dead" => "bad",
        "done" | "acknowledged" => "ok",
        "retry" | "discarded" => "wait",
        _ => "run",
    };
    html! { span class={ "tag " (tone) } { (state) } }
}
