//! `deploy/runbook.md`: what an operator does when an alert fires. It is part of the program, so that everybody
//! reads the one of the version that runs: at `/runbook`, and offline with the command `runbook`.
//!
//! # Layout
//!
//! - `section`: its parts and their names
//! - `page`: the same as HTML

mod page;
mod section;

pub use self::{
    page::{STYLE, page},
    section::{RunbookSection, find, nearest, sections},
};

/// The file, as it is.
pub const TEXT: &str = include_str!("../../deploy/runbook.md");

#[cfg(test)]
mod tests;
