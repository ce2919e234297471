//! `[history]`: what is kept of changes that are through.

use std::time::Duration;

use super::{key::default, section::section};

/// An hour: what nobody could look up would be no audit.
const SHORTEST_AUDIT: f64 = 3_600.0;

/// Ten years.
const LONGEST: f64 = 3_650.0 * 24.0 * 3_600.0;

section! {
    /// What is kept in Redis of a change that AlumnIQ was told about.
    HistoryConfig at "history" {
        /// How long its timeline stays: attempts, causes, the vendors' answers. At most a quarter longer.
        keep: Duration = default("14d").within(0.0, LONGEST),
        /// How long its data (the row: personal data) stays. At most a quarter longer.
        keep_payload: Duration = default("0s").within(0.0, LONGEST),
        /// How long it stays known who did what: replays, discards, edits, pauses, logins. Names changes, no data.
        audit: Duration = default("365d").within(SHORTEST_AUDIT, LONGEST),
    }
}
