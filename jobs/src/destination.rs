//! The systems that a change is applied to.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A system that changes are applied to. The wire name is the lower-case word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// The university's CRM (QS).
    Crm,
    /// Salsa Engage.
    Salsa,
}

impl Destination {
    /// Every destination, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::Crm, Self::Salsa];

    /// The wire name, as it stands in Redis keys, JSON, metrics and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crm => "crm",
            Self::Salsa => "salsa",
        }
    }

    /// The destination's bit in a change's set of pending destinations (see the queue's lanes).
    pub const fn bit(self) -> u8 {
        match self {
            Self::Crm => 1,
            Self::Salsa => 2,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown destination `{0}`: use crm or salsa")]
pub struct UnknownDestination(String);

impl FromStr for Destination {
    type Err = UnknownDestination;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|destination| destination.as_str() == word)
            .ok_or_else(|| UnknownDestination(word.to_owned()))
    }
}
