//! What every page has around it: where one is, who one is, where to look something up.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};

use super::{links, outside::head, text::foreign};
use crate::console::visitor::Visitor;

/// The parts of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// `/`
    Overview,
    /// `/dead-letters`
    Letters,
    /// `/changes`, `/people`
    Changes,
    /// `/destinations`
    Destinations,
    /// `/audit`
    Audit,
}

impl Tab {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Overview, "Overview", links::OVERVIEW),
        (Self::Letters, "Dead letters", links::LETTERS),
        (Self::Changes, "Changes", links::CHANGES),
        (Self::Destinations, "Destinations", links::DESTINATIONS),
        (Self::Audit, "Audit", links::AUDIT),
    ];
}

/// Who looks at what.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The title, which is not repeated on the page.
    pub title: &'a str,
    /// Which part it belongs to.
    pub tab: Tab,
    /// Who looks.
    pub visitor: &'a Visitor,
    /// Which campus.
    pub namespace: &'a str,
    /// Where its changes are told, if they are.
    pub live: Option<&'a str>,
}

/// A whole page.
pub fn page(frame: Frame<'_>, status: StatusCode, main: &Markup) -> Response {
    (status, document(frame, main)).into_response()
}

fn document(frame: Frame<'_>, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(&html! { (plain(frame.title)) " · " (frame.namespace) }, true))
            body {
                a.skip href="#main" { "Skip to the content" }
                (header(frame))
                main #main tabindex="-1" data-live=[frame.live] { (main) }
                footer {
                    "alumniq-relay " (env!("CARGO_PKG_VERSION")) " · " a href="/runbook" { "Runbook" }
                }
            }
        }
    }
}

/// In a title nothing can be isolated: what turns text around is left out.
fn plain(title: &str) -> String {
    let turns = |c: &char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    title.chars().filter(|c| !turns(c)).collect()
}

fn header(frame: Frame<'_>) -> Markup {
    html! {
        header {
            a.brand href=(links::OVERVIEW) { span.mark aria-hidden="true" {} "alumniq-relay" }
            span.campus title="The namespace: one a campus" { (foreign(frame.namespace)) }
            nav aria-label="Console" {
                @for (tab, name, address) in Tab::ALL {
                    a href=(address) aria-current=[(tab == frame.tab).then_some("page")] { (name) }
                }
            }
            form.lookup role="search" method="get" action=(links::CHANGES) {
                label.away for="find" { "Look up a changeId, or xid: and a person's xid" }
                input #find name="find" type="search" placeholder="changeId or xid:…" autocomplete="off" spellcheck="false" maxlength="200";
                button.away type="submit" { "Look up" }
            }
            div.who {
                @if frame.live.is_some() {
                    span.live #live { a href="" { "Reload" } }
                }
                (person(frame))
            }
        }
    }
}

fn person(frame: Frame<'_>) -> Markup {
    let visitor = frame.visitor;
    let role = visitor.role.as_str();
    let name = visitor.actor.name.as_str();
    html! {
        span.person {
            @if name == visitor.role.nobody_in_particular() { (role) }
            @else { (foreign(name)) span.soft { " · " (role) } }
        }
        @if visitor.logged_in {
            form.logout method="post" action="/logout" {
                input type="hidden" name="csrf" value=[visitor.csrf.as_deref()];
                button type="submit" { "Log out" }
            }
        }
    }
}
