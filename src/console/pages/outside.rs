//! A page for somebody who is not in, and the head of every page.

use maud::{DOCTYPE, Markup, html};

use super::{
    assets::{ICON, SCRIPT, STYLE},
    links,
};

/// A page for somebody who is not in.
pub fn page(title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(&html! { (title) }, false))
            body {
                header { a.brand href=(links::OVERVIEW) { span.mark aria-hidden="true" {} "alumniq-relay" } }
                main.outside #main {
                    h1 { (title) }
                    div.card.prose { (main) }
                }
                footer { a href="/runbook" { "Runbook" } }
            }
        }
    }
}

/// The head; `is_live`: the page changes by itself.
pub fn head(title: &Markup, is_live: bool) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="robots" content="noindex";
            title { (title) " · alumniq-relay" }
            link rel="icon" type="image/svg+xml" href=(ICON.address());
            link rel="stylesheet" href=(STYLE.address());
            @if is_live { script src=(SCRIPT.address()) defer {} }
        }
    }
}
