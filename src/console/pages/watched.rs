//! Which pages stay up to date by themselves.

use serde::Deserialize;

use super::{Asked, Snapshot, destinations, fragment::Fragment, overview, progress};

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

    /// What of it changes by itself.
    pub async fn fragments(self, asked: &Asked, bulk: &str, snapshot: &Snapshot) -> Vec<Fragment> {
        match self {
            Self::Overview => overview::fragments(snapshot, asked.may_act()),
            Self::Destinations => destinations::fragments(snapshot, asked),
            Self::Bulk => {
                let bulk = asked.operations.bulk(bulk).await.ok().flatten();
                bulk.iter()
                    .map(|bulk| progress::fragment(bulk, asked))
                    .collect()
            }
        }
    }
}
