//! `[acknowledge]`: how changeIds are PUT back to AlumnIQ.

use std::time::Duration;

use super::{key::default, section::section};

section! {
    /// How AlumnIQ is told that changes were handled.
    AcknowledgeConfig at "acknowledge" {
        /// The most changeIds in one PUT.
        max_batch: u32 = default("200").within(1.0, 500.0),
        /// How long a changeId waits for others to share its PUT.
        max_wait: Duration = default("5s").within(0.0, 300.0),
    }
}
