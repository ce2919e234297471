//! What the configuration allows towards a vendor.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Limits of ours; a vendor may say lower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Allowed)]
pub struct ConfiguredLimits {
    /// Calls at the same time, over the fleet; absent: one of each process.
    pub concurrency: Option<u32>,
    /// Calls a minute, over the fleet; absent: no limit of ours.
    pub rate_per_minute: Option<u32>,
    /// Changes a call; absent: as many as the vendor says.
    pub batch: Option<u32>,
}
