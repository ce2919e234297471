//! What commands about dead letters print with `--json`, where it is no type of the queue's.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::queue::{
    letters::{Letter, LetterGroup},
    timeline::Timeline,
};

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

/// `dead groups --json`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LetterGroups {
    /// The most frequent first; of very many the 200 most frequent.
    pub items: Vec<LetterGroup>,
}

/// `dead replay --json` and `dead discard --json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct LettersHandled {
    /// How many were handled, or would be.
    pub letters: u64,
    /// How many were no dead letters any more.
    pub gone: u64,
    /// Whether nothing was done.
    pub dry_run: bool,
}
