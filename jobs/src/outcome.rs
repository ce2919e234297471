//! What follows from one attempt: a closed set. A job returns one; only the queue's executor decides
//! that attempts are used up.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// The result of one attempt to apply one change to one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The destination accepted the change. `detail` is shown in the timeline and names no person's
    /// data, e.g. `updated CrmNumber 1234`.
    Done {
        /// What the vendor said, redacted.
        detail: String,
    },
    /// The change itself failed in a way that may pass: costs an attempt.
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
    /// this costs no attempt; the whole fleet holds off.
    Pause {
        /// For how long at least; `None` lets the gate choose (exponential).
        after: Option<Duration>,
        /// Which kind of pause.
        reason: PauseReason,
        /// Why, for people, redacted.
        cause: String,
    },
}

/// Whose failure it was, as far as one answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The vendor answered the call and failed on this change alone.
    Change,
    /// A failure of the whole call: the vendor may be down for everybody.
    Unknown,
}

/// Why a destination is paused. The wire name is the metric label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// The vendor's rate limit was hit.
    Throttled,
    /// The vendor cannot be reached or answers only errors.
    Outage,
    /// The vendor refuses our credentials.
    Credentials,
    /// An operator asked for it.
    Operator,
}

impl PauseReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::Throttled,
        Self::Outage,
        Self::Credentials,
        Self::Operator,
    ];

    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Outage => "outage",
            Self::Credentials => "credentials",
            Self::Operator => "operator",
        }
    }
}

/// The kinds of dead letters. The wire names are fixed: scripts filter on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadClass {
    /// The row could not be decoded.
    Undecodable,
    /// The row names nobody (no xid) and the configuration does not allow matching.
    Anonymous,
    /// A template failed on this row.
    Mapping,
    /// The mapped document breaks one of the vendor's documented rules.
    Validation,
    /// The destination has nobody that matches.
    Unmatched,
    /// The destination refused the document.
    Rejected,
    /// Every attempt failed.
    Exhausted,
    /// A newer change of the same person has already been applied.
    Stale,
    /// The change kept killing the process that worked on it.
    Crashed,
    /// AlumnIQ refused the changeId in the PUT.
    AckRejected,
}

impl DeadClass {
    /// Every class.
    pub const ALL: [Self; 10] = [
        Self::Undecodable,
        Self::Anonymous,
        Self::Mapping,
        Self::Validation,
        Self::Unmatched,
        Self::Rejected,
        Self::Exhausted,
        Self::Stale,
        Self::Crashed,
        Self::AckRejected,
    ];

    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Anonymous => "anonymous",
            Self::Mapping => "mapping",
            Self::Validation => "validation",
            Self::Unmatched => "unmatched",
            Self::Rejected => "rejected",
            Self::Exhausted => "exhausted",
            Self::Stale => "stale",
            Self::Crashed => "crashed",
            Self::AckRejected => "ack_rejected",
        }
    }
}

impl fmt::Display for DeadClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no class of dead letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown dead-letter class `{0}`: use one of {classes}", classes = DeadClass::ALL.map(DeadClass::as_str).join(", "))]
pub struct UnknownClass(String);

impl std::str::FromStr for DeadClass {
    type Err = UnknownClass;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == word)
            .ok_or_else(|| UnknownClass(word.to_owned()))
    }
}
