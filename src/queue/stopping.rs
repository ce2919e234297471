//! The two stages in which a process stops.

use tokio_util::sync::CancellationToken;

/// First `closing`, then, where that takes too long, `abandon`. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Stopping {
    /// Nothing new is begun; the calls under way are finished.
    pub closing: CancellationToken,
    /// The calls under way are given up too, and what they were about is given back. Never without `closing`.
    pub abandon: CancellationToken,
}
