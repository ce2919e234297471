//! What somebody does in AlumnIQ by hand.

use serde::{Deserialize, Serialize};

/// What somebody marks in AlumnIQ by hand (`POST /_sandbox/marked`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Marked {
    /// Which changes.
    pub change_ids: Vec<String>,
    /// As processed, so that a GET no longer returns them, or as not.
    pub processed: bool,
}
