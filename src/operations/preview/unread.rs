//! What a destination that can't be read would be sent.

use std::sync::Arc;

use async_trait::async_trait;
use jobs::{
    compare::{Would, sent},
    destination::Destination,
    outcome::Outcome,
    trial::DestinationMapping,
};

use super::{DestinationPreview, Item};

/// A destination without a read: every document is shown whole.
pub struct UnreadPreview {
    /// Which.
    pub destination: Destination,
    /// Its map.
    pub mapping: Arc<dyn DestinationMapping>,
    /// `alumniq.anonymous = "match"`.
    pub anonymous_allowed: bool,
}

#[async_trait]
impl DestinationPreview for UnreadPreview {
    fn destination(&self) -> Destination {
        self.destination
    }

    fn is_read(&self) -> bool {
        false
    }

    async fn ask(&mut self, items: &mut [Item]) -> Result<(), Outcome> {
        for item in items {
            let Ok(change) = &item.decoded else {
                continue;
            };
            let would = item.settled(self.destination).unwrap_or_else(|| {
                self.mapping
                    .map(change, self.anonymous_allowed)
                    .map_or_else(Would::from, |mapped| sent(&mapped.document))
            });
            item.destinations.insert(self.destination.into(), would);
        }
        Ok(())
    }
}
