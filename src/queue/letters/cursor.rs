//! The name of a letter, and as text the cursor of a list.

use std::{fmt, str::FromStr};

use jobs::{destination::Vendor, outcome::DeadClass};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterRef {
    pub(super) died_at: u64,
    /// Where it died.
    pub vendor: Vendor,
    pub(super) class: DeadClass,
    /// Which change.
    pub change_id: String,
}

/// The cursor behind which the next page begins.
impl fmt::Display for LetterRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            self.died_at, self.vendor, self.class, self.change_id
        )
    }
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no cursor: take the one at the end of the list before (`next` in its JSON)")]
pub struct NoCursor;

impl FromStr for LetterRef {
    type Err = NoCursor;

    fn from_str(cursor: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = cursor.splitn(4, '/').collect();
        let [died_at, vendor, class, change_id] = parts[..] else {
            return Err(NoCursor);
        };
        Ok(Self {
            died_at: died_at.parse().map_err(|_| NoCursor)?,
            vendor: vendor.parse().map_err(|_| NoCursor)?,
            class: class.parse().map_err(|_| NoCursor)?,
            change_id: change_id.to_owned(),
        })
    }
}

/// As text, like every cursor.
impl Serialize for LetterRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LetterRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
