//! What the fleet tells the outside when its state changes: what happened, in JSON and in words, and what the
//! receiver's answer means.

mod delivery;
mod message;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use jiff::Timestamp;

pub use self::delivery::{Delivery, classify};

use crate::{
    destination::{UnknownVendor, Vendor},
    outcome::{DeadClass, PauseReason},
};

/// What can be in trouble. Of each the receiver is told one state after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A vendor's gate.
    Gate(Vendor),
    /// A vendor's dead letters.
    Letters(Vendor),
    /// The books.
    Books,
}

impl Subject {
    /// Whose it is; the books are nobody's.
    pub const fn vendor(self) -> Option<Vendor> {
        match self {
            Self::Gate(vendor) | Self::Letters(vendor) => Some(vendor),
            Self::Books => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gate(vendor) => write!(f, "gate:{vendor}"),
            Self::Letters(vendor) => write!(f, "letters:{vendor}"),
            Self::Books => f.write_str("books"),
        }
    }
}

impl FromStr for Subject {
    type Err = UnknownVendor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("gate", vendor)) => vendor.parse().map(Self::Gate),
            Some((_, vendor)) => vendor.parse().map(Self::Letters),
            None => Ok(Self::Books),
        }
    }
}

/// What happened. The wire names are fixed: receivers branch on them, and they are the metric label `event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Calls to a destination are held.
    DestinationPaused,
    /// They are not any more.
    DestinationResumed,
    /// There are dead letters where there were none.
    DeadLettersAppeared,
    /// There are none any more.
    DeadLettersCleared,
    /// The books do not balance.
    BooksOff,
    /// They do again.
    BooksBack,
    /// Somebody tries the webhook.
    Test,
}

impl Event {
    /// Every change of state; [`Self::Test`] is none.
    pub const ALL: [Self; 6] = [
        Self::DestinationPaused,
        Self::DestinationResumed,
        Self::DeadLettersAppeared,
        Self::DeadLettersCleared,
        Self::BooksOff,
        Self::BooksBack,
    ];

    /// The trouble of `subject` began, or is over.
    pub const fn of(subject: Subject, is_trouble: bool) -> Self {
        match (subject, is_trouble) {
            (Subject::Gate(_), true) => Self::DestinationPaused,
            (Subject::Gate(_), false) => Self::DestinationResumed,
            (Subject::Letters(_), true) => Self::DeadLettersAppeared,
            (Subject::Letters(_), false) => Self::DeadLettersCleared,
            (Subject::Books, true) => Self::BooksOff,
            (Subject::Books, false) => Self::BooksBack,
        }
    }

    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DestinationPaused => "destination_paused",
            Self::DestinationResumed => "destination_resumed",
            Self::DeadLettersAppeared => "dead_letters_appeared",
            Self::DeadLettersCleared => "dead_letters_cleared",
            Self::BooksOff => "books_off",
            Self::BooksBack => "books_back",
            Self::Test => "test",
        }
    }

    /// The section of the runbook that is about it.
    const fn runbook(self) -> Option<&'static str> {
        match self {
            Self::DestinationPaused | Self::DestinationResumed => {
                Some("alumniqrelaydestinationpaused")
            }
            Self::DeadLettersAppeared | Self::DeadLettersCleared => {
                Some("alumniqrelaydeadlettersgrowing")
            }
            Self::BooksOff | Self::BooksBack => Some("alumniqrelaybooksoff"),
            Self::Test => None,
        }
    }
}

/// One change of state, as it was when it was first to be told. It names no person.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The same however often it is told.
    pub id: String,
    /// Which campus.
    pub namespace: String,
    /// What happened.
    pub event: Event,
    /// To whom; the books are nobody's.
    pub destination: Option<Vendor>,
    /// When it was first to be told.
    pub at: Timestamp,
    /// Since when the new state holds.
    pub since: Timestamp,
    /// How long the trouble lasted that is over, where that is known.
    pub lasted: Option<Duration>,
    /// Why a destination is paused.
    pub reason: Option<PauseReason>,
    /// The same in the vendor's words, redacted.
    pub cause: Option<String>,
    /// Dead letters by class.
    pub counts: BTreeMap<DeadClass, u64>,
    /// By how many changes the books are off.
    pub difference: Option<i64>,
}

impl Notice {
    /// One that says only that it arrived.
    pub fn test(id: String, namespace: &str, now: Timestamp) -> Self {
        Self {
            id,
            namespace: namespace.to_owned(),
            event: Event::Test,
            destination: None,
            at: now,
            since: now,
            lasted: None,
            reason: None,
            cause: None,
            counts: BTreeMap::new(),
            difference: None,
        }
    }
}
