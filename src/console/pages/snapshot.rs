//! What the overview shows, read at one moment. Everybody who watches shares one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jobs::destination::{Destination, Vendor};
use queue::{letters::LetterGroup, stats::Status};

use super::traffic::VendorTraffic;
use crate::operations::client::Local;

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
    pub async fn read(client: &Local) -> Self {
        let operations = &client.operations;
        let (status, groups, traffic) = match operations.watched().await {
            Ok(seen) => (seen.status, seen.groups.unwrap_or_default(), seen.traffic),
            Err(error) => (Err(error), Vec::new(), BTreeMap::new()),
        };
        let traffic = traffic.into_iter().filter_map(|(vendor, (limits, calls))| {
            let allowed = operations.allowed(vendor)?;
            let traffic = VendorTraffic {
                allowed,
                limits,
                calls,
            };
            Some((vendor, traffic))
        });
        Self {
            at: Timestamp::now(),
            enabled: operations.enabled().to_vec(),
            status: status.map_err(|error| error.to_string()),
            groups,
            traffic: traffic.collect(),
        }
    }
}
