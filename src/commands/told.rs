//! What commands print with `--json`, where it is no type of the queue's or of an operation's.

use queue::{letters::Letter, timeline::Timeline};
use serde::Serialize;
use utoipa::ToSchema;

/// `dead show --json`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct LettersShown {
    /// Each change that was named, in that order.
    pub items: Vec<LetterShown>,
}

/// One change's dead letters.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterShown {
    /// One a destination.
    pub letters: Vec<Letter>,
    /// What happened to the change.
    pub timeline: Option<Timeline>,
}

/// `encryption rotate --json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct PayloadsResealed {
    /// The key that payloads are under now; none: they were opened.
    pub key: Option<String>,
    /// Payloads that are under it and were not before.
    pub resealed: u64,
    /// Payloads that nobody can open.
    pub unreadable: u64,
    /// Other keys that payloads may still be under.
    pub keys_still_in_use: Vec<String>,
}
