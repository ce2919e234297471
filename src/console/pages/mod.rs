//! What operators see in their browser: rendered here, works without script, and nothing in it comes from elsewhere.
//!
//! # Layout
//!
//! - `layout`: what is around every page; `asked`: who asks, and how they are answered; `links`: every address
//! - `text`: numbers, times and other people's words; `fragment`: what is sent anew when it has changed
//! - `overview` with `verdict` (the sentence that answers first), `flow` (the picture) and `panels`, all of one `snapshot`
//! - `assets`: style and script

mod asked;
mod assets;
#[cfg(test)]
mod fixtures;
mod flow;
mod fragment;
mod layout;
mod links;
mod overview;
mod panels;
mod snapshot;
mod text;
mod verdict;

use axum::{Router, routing::get};

pub(super) use self::layout::outside;
use super::Console;

/// The pages' routes.
pub fn routes() -> Router<Console> {
    Router::new().route(links::OVERVIEW, get(overview::show))
}

/// What they are dressed with; it holds no data, and the login needs it too.
pub fn assets() -> Router<Console> {
    Router::new().route("/assets/{name}", get(assets::serve))
}
