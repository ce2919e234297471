//! What a page that is watched shows, in one look: it is read every second for as long as anybody watches.

use std::collections::BTreeMap;

use jobs::{destination::Vendor, outcome::DeadClass};

use super::{
    Queue, QueueError,
    letters::LetterGroup,
    recent::{self, RecentCall, Told, VendorLimits},
    stats::Status,
};

/// The fleet at one moment.
#[derive(Debug)]
pub struct FleetView {
    /// The counts.
    pub status: Result<Status, QueueError>,
    /// Dead letters of one cause each, most frequent first.
    pub groups: Result<Vec<LetterGroup>, QueueError>,
    /// What is known of each vendor's limits, and the newest calls to it; of whom that can be read.
    pub traffic: BTreeMap<Vendor, (VendorLimits, Vec<RecentCall>)>,
}

/// A status; by vendor its limits, the places taken and the calls; of causes: vendor, class, group, how many.
type RawSeen = (
    String,
    Vec<(Told, u64, Vec<String>)>,
    Vec<(String, String, String, u64)>,
);

impl Queue {
    /// Everything at once; the words of the causes follow where there are dead letters.
    ///
    /// # Errors
    /// Redis did not answer. What it holds and cannot be read is left out, or said in its place.
    pub async fn watched(&self) -> Result<FleetView, QueueError> {
        let mut call = self.scripts.watch.prepare_invoke();
        call.arg(super::letters::MOST_CANDIDATES);
        for class in DeadClass::ALL {
            call.arg(class.as_str());
        }
        let (status, traffic, causes): RawSeen = self.run(&mut call).await?;
        let traffic = Vendor::ALL.into_iter().zip(traffic);
        let traffic = traffic.filter_map(|(vendor, (told, places_used, calls))| {
            let calls = recent::read(calls).ok()?;
            Some((vendor, (VendorLimits::read(told, places_used), calls)))
        });
        Ok(FleetView {
            status: Status::read(&status),
            traffic: traffic.collect(),
            groups: self.letter_groups_of(causes).await,
        })
    }
}
