//! From a leased record to a change that can be mapped.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jobs::{
    change::{self, Change, FieldNames},
    outcome::{DeadClass, Outcome},
};
use queue::lease::Lease;

use crate::observe::metrics;

/// How this school's rows are read.
#[derive(Debug, Clone)]
pub struct Rows {
    /// `alumniq.fields`.
    pub names: Arc<FieldNames>,
    /// `alumniq.timezone`.
    pub timezone: TimeZone,
    /// `alumniq.anonymous = "match"`.
    pub anonymous_allowed: bool,
    /// Whether this reader reports keys that nothing maps: one destination does, or they would count twice.
    pub reports_drift: bool,
}

impl Rows {
    /// Decodes a leased row.
    ///
    /// # Errors
    /// The outcome of a row that cannot be decoded: a dead letter.
    pub fn decode(&self, lease: &Lease) -> Result<Change, Outcome> {
        let undecodable = |cause: String, advice: String| Outcome::Dead {
            class: DeadClass::Undecodable,
            cause,
            advice,
        };
        let row = lease.row.as_ref().map_err(|cause| {
            undecodable(
                cause.clone(),
                "Run a version of alumniq-relay that can read it, then replay.".to_owned(),
            )
        })?;
        let row: serde_json::Value = serde_json::from_str(row.get()).map_err(|error| {
            undecodable(
                format!("the stored row is no JSON any more: {:?}", error.classify()),
                "Discard it: AlumnIQ sends it again at the next fetch.".to_owned(),
            )
        })?;
        let change = change::decode(&row, &self.names, &self.timezone)
            .map_err(|error| undecodable(error.cause, error.advice))?;
        if self.reports_drift {
            for key in &change.unmapped {
                metrics::unmapped_field(key);
            }
        }
        Ok(change)
    }
}
