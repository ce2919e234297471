//! `openapi`: the document of the JSON API.

use crate::{console::api, exit::Exit};

/// Prints it.
pub fn run() -> miette::Result<Exit> {
    super::print(&format!("{}\n", api::document()))?;
    Ok(Exit::Good)
}
