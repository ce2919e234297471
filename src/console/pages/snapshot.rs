//! What the overview shows, read at one moment. Everybody who watches shares one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jobs::destination::{Destination, Vendor};
use queue::{letters::LetterGroup, stats::Status};

use crate::operations::{client::OperatorClient, overview::VendorTraffic};

/// The fleet at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was read.
    pub at: Timestamp,
    /// Which destinations are switched on.
    pub enabled: Vec<Destination>,
    /// The counts, or why there are none.
    pub status: Result<Status, String>,
    /// Dead letters of one cause each, most frequent first.
    pub groups: Vec<LetterGroup>,
    /// Limits and calls, as far as they can be read.
    pub traffic: BTreeMap<Vendor, VendorTraffic>,
}

impl Snapshot {
    /// Reads.
    pub async fn read(client: &dyn OperatorClient) -> Self {
        let campus = client.campus().await;
        let (status, groups, traffic) = match client.overview().await {
            Ok(seen) => {
                let status = seen.status.ok_or(seen.unreadable.unwrap_or_default());
                (status, seen.groups, seen.traffic)
            }
            Err(error) => (Err(error.to_string()), Vec::new(), BTreeMap::new()),
        };
        Self {
            at: Timestamp::now(),
            enabled: campus.map_or_else(|_| Vec::new(), |campus| campus.destinations),
            status,
            groups,
            traffic,
        }
    }
}
