//! The destinations: what is known of each, and its gate.

use jobs::destination::Vendor;
use queue::{
    QueueError,
    recent::{RecentCall, VendorLimits},
    stats::{DestinationStatus, Pause},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Operations, allowed::ConfiguredLimits};

/// What is known of one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DestinationShown {
    /// Which one; alumniq: the feed, and what AlumnIQ is told.
    pub destination: Vendor,
    /// Whether it is in use; AlumnIQ always is.
    pub enabled: bool,
    /// Its changes by state; absent for AlumnIQ.
    pub counts: Option<DestinationStatus>,
    /// Dead letters there.
    pub dead_letters: u64,
    /// Why its gate is shut; absent: it is open.
    pub pause: Option<Pause>,
    /// The configured limits; absent: it is switched off.
    pub allowed: Option<ConfiguredLimits>,
    /// What it said of its limits, and how much of them is used.
    pub limits: VendorLimits,
    /// The newest calls of all processes, the newest first; nothing of people is in them.
    pub recent_calls: Vec<RecentCall>,
}

/// Every destination, and AlumnIQ.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Destinations {
    /// The destinations in their order, then AlumnIQ.
    pub items: Vec<DestinationShown>,
}

/// What an operator made of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gate {
    /// Whose.
    pub destination: Vendor,
    /// Whether an operator holds it shut.
    pub paused: bool,
}

impl Operations {
    /// Every destination, AlumnIQ included.
    pub(super) async fn destinations(&self) -> Result<Destinations, QueueError> {
        let queue = self.queue();
        let mut status = queue.status().await?;
        let enabled = &queue.settings().destinations;
        let mut items = Vec::with_capacity(Vendor::ALL.len());
        for vendor in Vendor::ALL {
            let destination = vendor.destination();
            let letters = status.dead_letters.get(&vendor);
            items.push(DestinationShown {
                destination: vendor,
                enabled: destination.is_none_or(|destination| enabled.contains(&destination)),
                counts: destination.and_then(|at| status.destinations.remove(&at)),
                dead_letters: letters.map_or(0, |classes| classes.values().sum()),
                pause: status.pauses.remove(&vendor),
                allowed: self.allowed(vendor),
                limits: queue.limits(vendor).await?,
                recent_calls: queue.recent_calls(vendor).await?,
            });
        }
        Ok(Destinations { items })
    }
}
