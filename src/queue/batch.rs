//! What a worker gets to do at once, and what it says of it.

use std::sync::Arc;

use jobs::outcome::Outcome;

use super::lease::{Hold, Lease};

/// What one call of a job works on: changes of different constituents, as many as the destination takes in a call.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The changes.
    pub leases: Arc<[Lease]>,
    /// How long they are held: guard every call to a vendor with it.
    pub hold: Hold,
}

/// The verdicts of a job, in the order of the batch; `None` = never started, to be given back.
pub type Verdicts = Vec<Option<Outcome>>;
