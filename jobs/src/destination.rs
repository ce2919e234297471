//! The systems that a change is applied to.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A system that changes are applied to. The wire name is the lower-case word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
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

/// A system that the relay calls: the two destinations, and AlumnIQ itself, which is asked and told.
/// Gates, limits and dead letters belong to a vendor. The wire name is the lower-case word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// The university's CRM (QS).
    Crm,
    /// Salsa Engage.
    Salsa,
    /// AlumnIQ: the feed and its acknowledgement.
    Alumniq,
}

impl Vendor {
    /// Every vendor, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Crm, Self::Salsa, Self::Alumniq];

    /// The wire name, as it stands in Redis keys, JSON, metrics and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crm => Destination::Crm.as_str(),
            Self::Salsa => Destination::Salsa.as_str(),
            Self::Alumniq => "alumniq",
        }
    }
}

impl From<Destination> for Vendor {
    fn from(destination: Destination) -> Self {
        match destination {
            Destination::Crm => Self::Crm,
            Destination::Salsa => Self::Salsa,
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no vendor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown destination `{0}`: use crm, salsa or alumniq")]
pub struct UnknownVendor(String);

impl FromStr for Vendor {
    type Err = UnknownVendor;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|vendor| vendor.as_str() == word)
            .ok_or_else(|| UnknownVendor(word.to_owned()))
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
