//! Which pages stay up to date by themselves.

use serde::Deserialize;

use super::{Asked, Snapshot, destinations, fragment::Fragment, overview};

/// A page whose changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Watched {
    /// `/`
    Overview,
    /// `/destinations`
    Destinations,
}

impl Watched {
    /// Where its changes are told.
    pub const fn address(self) -> &'static str {
        match self {
            Self::Overview => "/live?page=overview",
            Self::Destinations => "/live?page=destinations",
        }
    }

    /// What of it changes by itself.
    pub fn fragments(self, asked: &Asked, snapshot: &Snapshot) -> Vec<Fragment> {
        match self {
            Self::Overview => overview::fragments(snapshot, asked.may_act()),
            Self::Destinations => destinations::fragments(snapshot, asked),
        }
    }
}
