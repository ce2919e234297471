//! The destinations, each registered once: what commands put together, check and describe of it.

pub mod crm;
pub mod salsa;

use futures::future::BoxFuture;
use jobs::destination::Destination;
use queue::Queue;
use tokio_util::sync::CancellationToken;

use super::{check::finding::CheckFinding, context::Context};
use crate::{config::Config, operations::preview::DestinationPreview, pipeline::fleet::Consumer};

/// A destination, as commands know it.
pub struct Registration {
    /// Which.
    pub destination: Destination,
    /// Puts its consumer together; `None`: it is switched off.
    pub consumer: fn(&Context, &Queue, &CancellationToken) -> miette::Result<Option<Consumer>>,
    /// Where it is called; `None`: it is switched off.
    pub url: fn(&Config) -> Option<&str>,
    /// Calls it, and changes nothing there.
    pub probe: fn(&Context) -> BoxFuture<'_, Vec<CheckFinding>>,
    /// What shows what changes would do there; `None`: it is switched off.
    pub preview:
        fn(&Context, Option<&Queue>) -> miette::Result<Option<Box<dyn DestinationPreview>>>,
    /// What is done there; `None`: it is switched off.
    pub summary: fn(&Config) -> Option<DestinationSummary>,
}

/// What is done at a destination.
pub struct DestinationSummary {
    /// In words.
    pub operation: &'static str,
    /// The fields that its templates fill.
    pub targets: Vec<String>,
    /// How many calls are made where the configuration does not limit them.
    pub unlimited: String,
}

/// Every destination.
pub const ALL: [Registration; Destination::ALL.len()] = [crm::REGISTRATION, salsa::REGISTRATION];
