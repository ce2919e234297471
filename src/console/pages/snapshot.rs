//! What the overview shows, read at one moment. Everybody who watches shares one.

use std::collections::BTreeMap;

use futures::future::join_all;
use jiff::Timestamp;
use jobs::destination::{Destination, Vendor};

use super::traffic::Traffic;
use crate::{
    operations::Operations,
    queue::{
        letters::{LetterFilter, LetterGroup},
        stats::Status,
    },
};

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
    pub traffic: BTreeMap<Vendor, Traffic>,
}

impl Snapshot {
    /// Reads.
    pub async fn read(operations: &Operations) -> Self {
        let queue = &operations.queue;
        let status = queue.status().await.map_err(|error| error.to_string());
        let groups = queue.letter_groups(&LetterFilter::default()).await;
        let traffic = Vendor::ALL
            .map(async |vendor| Some((vendor, Traffic::read(operations, vendor).await?)));
        Self {
            at: Timestamp::now(),
            enabled: queue.settings().destinations.clone(),
            status,
            groups: groups.unwrap_or_default(),
            traffic: join_all(traffic).await.into_iter().flatten().collect(),
        }
    }
}
