//! What follows from one attempt: a closed set. A job returns one; only the queue's executor decides
//! that attempts are used up.

use std::time::Duration;

pub use crate::catalogue::{DeadClass, PauseReason, UnknownClass};

/// The result of one attempt to apply one change to one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The destination accepted the change. `detail` stands in the timeline, e.g. `updated CrmNumber 1234`. It
    /// names the person's record, so it is shown only to who may see people, and never logged.
    Done {
        /// What the vendor said, redacted.
        detail: String,
    },
    /// The change itself failed in a way that may pass: costs an attempt, unless [nobody](Blame::Nobody) is to blame.
    Retry {
        /// The least delay, where the vendor named one (`Retry-After`).
        after: Option<Duration>,
        /// Why, for people, redacted.
        cause: String,
        /// Whether the vendor itself may be down.
        blame: Blame,
    },
    /// The change will not be accepted as it is: a person must look.
    Dead {
        /// Which kind of dead letter.
        class: DeadClass,
        /// Why, for people, redacted.
        cause: String,
        /// What a person can do about it.
        advice: String,
    },
    /// The destination is down, throttling or refusing credentials: nobody's change is at fault, so
    /// this costs no attempt. The whole fleet holds off at once where the vendor throttles, refuses the
    /// credentials or names a time; otherwise once enough calls meet the same.
    Pause {
        /// For how long at least; `None` lets the gate choose (exponential).
        after: Option<Duration>,
        /// Which kind of pause.
        reason: PauseReason,
        /// Why, for people, redacted.
        cause: String,
    },
}

impl Outcome {
    /// Whether the vendor said that there were too many calls.
    pub fn is_throttled(&self) -> bool {
        matches!(
            self,
            Self::Pause {
                reason: PauseReason::Throttled,
                ..
            }
        )
    }
}

/// Whose failure it was, as far as one answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The vendor answered the call and failed on this change alone.
    Change,
    /// A failure of the whole call: the vendor may be down for everybody.
    Unknown,
    /// No usable answer came back, and the vendor may have acted: nothing speaks against the change.
    Nobody,
}

/// Fails where a message of `outcome` is missing or not fit to be shown.
#[cfg(test)]
pub(crate) fn assert_fit_to_show(outcome: &Outcome) {
    match outcome {
        Outcome::Done { detail } => hostile::fit(detail),
        Outcome::Retry { cause, .. } | Outcome::Pause { cause, .. } => hostile::fit(cause),
        Outcome::Dead { cause, advice, .. } => {
            hostile::fit(cause);
            hostile::fit(advice);
            assert!(!cause.is_empty() && !advice.is_empty());
        }
    }
}
