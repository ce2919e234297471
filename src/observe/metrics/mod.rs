//! What is measured, for Prometheus.
//!
//! # Layout
//!
//! - `names`: every metric once: name, kind, labels, unit, scope, help, buckets
//! - `record`: one typed function per event; `snapshot`: what is read of the shared queue
//! - `exposition`: the text that `/metrics` shows
//! - [`mod@table`]: the documents' table, made from the definitions
//! - `definition`: the only code that touches the `metrics` crate's macros (`clippy.toml` bans them elsewhere)
//!
//! Labels hold wire names, never anything of a person or a row's values.

mod definition;
mod exposition;
mod names;
mod record;
mod snapshot;
pub mod table;
#[cfg(test)]
mod tests;

pub use self::{
    definition::{Label, MetricDefinition, MetricKind, NAMESPACE, Scope},
    exposition::{Exposition, forget_queue, install, publish},
    names::ALL,
    record::*,
    snapshot::{BooksSnapshot, DestinationSnapshot, QueueSnapshot},
};
