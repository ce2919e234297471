//! What the overview shows, read at one moment. Everybody who watches shares one.

use jiff::Timestamp;
use jobs::{
    destination::{Destination, Vendor},
    outcome::DeadClass,
};

use crate::{operations::Operations, queue::stats::Status};

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
    pub groups: Vec<Group>,
}

/// Dead letters that one remedy helps.
#[derive(Debug, Clone)]
pub struct Group {
    /// Where.
    pub vendor: Vendor,
    /// Which kind.
    pub class: DeadClass,
    /// Why.
    pub text: String,
    /// What to do.
    pub advice: String,
    /// How many.
    pub count: u64,
}

impl Snapshot {
    /// Reads.
    pub async fn read(operations: &Operations) -> Self {
        let queue = &operations.queue;
        let status = queue.status().await.map_err(|error| error.to_string());
        let groups = status.as_ref().map(groups).unwrap_or_default();
        Self {
            at: Timestamp::now(),
            enabled: queue.settings().destinations.clone(),
            status,
            groups,
        }
    }
}

fn groups(status: &Status) -> Vec<Group> {
    let mut groups: Vec<Group> = status
        .dead_letters
        .iter()
        .flat_map(|(vendor, classes)| {
            classes
                .iter()
                .map(|(class, count)| (*vendor, *class, *count))
        })
        .filter(|(_, _, count)| *count > 0)
        .map(|(vendor, class, count)| Group {
            vendor,
            class,
            text: class.explained().means.to_owned(),
            advice: class.explained().fix.to_owned(),
            count,
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}
