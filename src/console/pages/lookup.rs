//! `/changes`: where a change or a person is looked up.

use axum::{
    extract::Query,
    response::{IntoResponse, Redirect, Response},
};
use maud::html;
use serde::Deserialize;

use super::{asked::PageContext, change, layout::Tab, links, person};

/// What is looked up.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LookupQuery {
    find: String,
    xid: String,
    cursor: String,
}

/// Leads to what was asked for, or asks.
pub async fn look_up(asked: PageContext, Query(wanted): Query<LookupQuery>) -> Response {
    let find = wanted.find.trim();
    let xid = find.strip_prefix("xid:").unwrap_or(&wanted.xid).trim();
    if !xid.is_empty() {
        let address = links::person(xid);
        return match address.contains('?') {
            // No path holds it.
            true => person::one(&asked, xid, wanted.cursor.parse().ok().as_ref()).await,
            false => Redirect::to(&address).into_response(),
        };
    }
    if find.is_empty() {
        return ask(&asked);
    }
    let address = links::change(find);
    match address.contains('?') {
        // No path holds it.
        true => change::one(&asked, find).await,
        false => Redirect::to(&address).into_response(),
    }
}

fn ask(asked: &PageContext) -> Response {
    let main = html! {
        h1 { "Changes" }
        section.card.prose aria-label="Look up" {
            form.filter method="get" action=(links::CHANGES) {
                p { label for="change" { "changeId" } input #change name="find" required autocomplete="off" spellcheck="false" maxlength="200"; }
                p.go { button.primary type="submit" { "Look up" } }
            }
            p.soft { "A change shows what happened to it, from its fetch to its acknowledgement. Write "
                code { "xid:" } " and a person's xid to see all of that person's changes." }
        }
    };
    asked.page(Tab::Changes, "Changes", &main)
}
