//! What the relay must never do to a person's data.

use jobs::destination::Destination;
use serde::{Deserialize, Serialize};

/// An older change that came after a newer one of the same constituent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    /// Where.
    pub destination: Destination,
    /// The older change.
    pub change_id: String,
    /// The newer change that had been applied already.
    pub newer_change_id: String,
}

/// A person's identity that was changed, doubled or mistaken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Where.
    pub destination: Destination,
    /// The change, where the document said which (else empty).
    pub change_id: String,
    /// What happened, without anybody's data.
    pub what: String,
}
