//! Which pages stay up to date by themselves.

use serde::Deserialize;

/// A page whose changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Watched {
    /// `/`
    Overview,
    /// `/destinations`
    Destinations,
    /// `/bulks/{id}`
    Bulk,
}

impl Watched {
    /// Where its changes are told.
    pub const fn address(self) -> &'static str {
        match self {
            Self::Overview => "/live?page=overview",
            Self::Destinations => "/live?page=destinations",
            Self::Bulk => "/live?page=bulk",
        }
    }
}
