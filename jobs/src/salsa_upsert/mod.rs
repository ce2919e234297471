//! Salsa Engage: what one change makes of a supporter, and what Salsa's answers mean.
//!
//! A change becomes a [`SupporterPatch`] through [`SalsaMapping`]; [`search_body`] finds the supporters of
//! a whole batch at once and [`correlate_search`] says who is whose; [`merge`] lays each patch over what
//! was found; [`independent_batches`] keeps apart what may not share a PUT; [`put_body`] sends it;
//! [`put_outcomes`] gives each change its own outcome. [`classify`] stands before every one of these
//! answers.
//!
//! # Layout
//!
//! - [`census`]: the one table of fields, rules and access; `supporter`: reading and writing by it
//! - `mapping`, `patch`, `merge`: row -> patch -> PUT document
//! - `difference`: what a document would change, for people
//! - `wire`: request bodies; `batch`: which documents may share one; `limits`: how many
//! - `classify`, `said`: the table of a whole call; `search`, `outcomes`, `errors`, `identity`: the records
//!   inside a good one

pub mod census;

mod batch;
mod classify;
mod difference;
mod errors;
mod identity;
mod limits;
mod mapping;
mod merge;
mod outcomes;
mod patch;
mod said;
mod search;
mod supporter;
#[cfg(test)]
mod tests;
mod wire;

pub use self::{
    batch::independent_batches,
    classify::{CallFailure, classify},
    difference::{SupporterDiff, difference, updated},
    limits::SalsaLimits,
    mapping::SalsaMapping,
    merge::merge,
    outcomes::{delete_outcomes, put_outcomes},
    patch::{SupporterKey, SupporterPatch},
    search::{correlate_search, found, next_offset},
    supporter::Supporter,
    wire::{IdentifierType, Payload, delete_body, put_body, search_body, search_modified_body},
};
