//! What the console's overview shows.

use std::collections::BTreeMap;

use jobs::destination::Vendor;
use queue::{
    QueueError,
    letters::LetterGroup,
    recent::{RecentCall, VendorLimits},
    stats::Status,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Operations, allowed::ConfiguredLimits};

/// The fleet at one moment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// The counts; absent where Redis holds some that can't be read.
    pub status: Option<Status>,
    /// Why there are no counts.
    pub unreadable: Option<String>,
    /// Dead letters of one cause each, the most frequent first.
    pub groups: Vec<LetterGroup>,
    /// By vendor, as far as it is switched on and can be read.
    pub traffic: BTreeMap<Vendor, VendorTraffic>,
}

/// The limits towards one vendor, and the newest calls to it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VendorTraffic {
    /// By the configuration.
    pub allowed: ConfiguredLimits,
    /// Beside the configuration.
    pub limits: VendorLimits,
    /// The newest first.
    pub calls: Vec<RecentCall>,
}

impl VendorTraffic {
    /// The lower of the limits in calls a minute.
    pub fn most(&self) -> Option<u32> {
        let limits = [self.allowed.rate_per_minute, self.limits.told_rate];
        limits.into_iter().flatten().min()
    }
}

impl Operations {
    /// Everything in one look: it is read every second for as long as anybody watches.
    pub(super) async fn overview(&self) -> Result<Overview, QueueError> {
        let seen = self.queue().watched().await?;
        let (status, unreadable) = match seen.status {
            Ok(status) => (Some(status), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let traffic = seen.traffic.into_iter();
        let traffic = traffic.filter_map(|(vendor, (limits, calls))| {
            let traffic = VendorTraffic {
                allowed: self.allowed(vendor)?,
                limits,
                calls,
            };
            Some((vendor, traffic))
        });
        Ok(Overview {
            status,
            unreadable,
            groups: seen.groups.unwrap_or_default(),
            traffic: traffic.collect(),
        })
    }
}
