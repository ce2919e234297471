//! What operators see in their browser: rendered here, works without script, and nothing in it comes from elsewhere.
//!
//! # Layout
//!
//! - `layout`: what is around every page; `asked`: who asks, and how they are answered; `links`: every address
//! - `text`: numbers, times and other people's words; `fragment`: what is sent anew when it has changed
//! - `overview` with `verdict` (the sentence that answers first), `flow` (the picture, with `spark`) and `panels`, all of one `snapshot`
//! - `letters` and `letter` with `filter`; `edit`: a row mended by hand; `bulk`, `progress` and `bulks`: many at once; `change` with `timeline`; `person`; `lookup`; `audit`; `destinations` with `traffic`
//! - `watched`: which pages stay up to date by themselves, `refresh`: what of them; `assets`: style and script

mod asked;
mod assets;
mod audit;
mod bulk;
mod bulks;
mod change;
mod destinations;
mod edit;
mod filter;
#[cfg(test)]
pub(crate) mod fixtures;
mod flow;
mod fragment;
mod layout;
mod letter;
mod letters;
mod links;
mod lookup;
pub(super) mod outside;
mod overview;
mod panels;
mod person;
mod progress;
mod refresh;
mod snapshot;
mod spark;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod traffic;
pub mod verdict;
mod watched;

use axum::{
    Router,
    routing::{get, post},
};

pub(super) use self::{
    asked::PageContext, refresh::fragments, snapshot::Snapshot, watched::Watched,
};
use super::state::Console;

/// The pages. Whoever mounts them sees to it that only who may look comes in.
pub fn routes() -> Router<Console> {
    Router::new()
        .route(links::OVERVIEW, get(overview::show))
        .route(links::LETTERS, get(letters::list))
        .route("/dead-letters/{destination}/{id}", get(letter::show))
        .route(
            "/dead-letters/{destination}/{id}/replay",
            post(letter::replay),
        )
        .route(
            "/dead-letters/{destination}/{id}/discard",
            post(letter::discard),
        )
        .route(
            "/dead-letters/replay",
            get(bulk::ask_replay).post(bulk::replay),
        )
        .route(
            "/dead-letters/discard",
            get(bulk::ask_discard).post(bulk::discard),
        )
        .route("/dead-letters/{destination}/{id}/row", post(letter::reveal))
        .route(
            "/dead-letters/{destination}/{id}/edit",
            get(edit::show).post(edit::submit),
        )
        .route(links::BULKS, get(bulks::list))
        .route("/bulks/{id}", get(progress::show))
        .route("/bulks/{id}/cancel", post(progress::cancel))
        .route(links::CHANGES, get(lookup::look_up))
        .route("/people/{xid}", get(person::show))
        .route(links::AUDIT, get(audit::list))
        .route("/changes/{id}", get(change::show))
        .route(links::DESTINATIONS, get(destinations::show))
        .route(
            "/destinations/{destination}/pause",
            post(destinations::pause),
        )
        .route(
            "/destinations/{destination}/resume",
            post(destinations::resume),
        )
}

/// Style and script, which hold no data.
pub fn assets() -> Router<Console> {
    Router::new().route("/assets/{name}", get(assets::serve))
}
