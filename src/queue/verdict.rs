//! What the queue made of a settlement.

/// What became of a [`Settlement`](super::settlement::Settlement).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleVerdict {
    /// Recorded as it was said.
    Settled,
    /// The failure turned out to be the vendor's: a pause, and no attempt is used up.
    Paused,
    /// Kept for another attempt: deferred, or it was the last one and nothing proves that the vendor works.
    Kept,
    /// The lease was lost: nothing changed.
    LeaseLost,
}

impl SettleVerdict {
    /// The letter of settle.lua.
    pub(crate) fn of(letter: char) -> Self {
        match letter {
            's' => Self::Settled,
            'p' => Self::Paused,
            'k' => Self::Kept,
            _ => Self::LeaseLost,
        }
    }
}
