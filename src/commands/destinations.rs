//! The destinations, each registered once: what commands put together, check and describe of it.

pub mod crm;
pub mod salsa;

use std::sync::Arc;

use futures::future::BoxFuture;
use jobs::destination::Destination;
use queue::{Queue, calls::CallLimit};
use tokio_util::sync::CancellationToken;

use super::{check::finding::CheckFinding, context::Context};
use crate::{
    config::{Config, DestinationLimits},
    operations::preview::DestinationPreview,
    pipeline::{
        fleet::{Consumer, Job, JobHead, LimitsFollower},
        throttle::Throttle,
    },
};

/// A destination, as commands know it.
pub struct Registration {
    /// Which.
    pub destination: Destination,
    /// Puts its job together; `None`: it is switched off.
    pub job: fn(&Context, JobHead) -> miette::Result<Option<RegisteredJob>>,
    /// Its limits until it says others.
    pub published: fn() -> PublishedLimits,
    /// Where it is called; `None`: it is switched off.
    pub url: fn(&Config) -> Option<&str>,
    /// Calls it, and changes nothing there.
    pub probe: fn(&Context) -> BoxFuture<'_, Vec<CheckFinding>>,
    /// What shows what changes would do there; `None`: it is switched off.
    pub preview: fn(&Context, Option<&Queue>) -> miette::Result<Option<RegisteredPreview>>,
    /// What is done there; `None`: it is switched off.
    pub summary: fn(&Config) -> Option<DestinationSummary>,
}

/// A destination's job, and what follows the limits that the vendor says.
pub type RegisteredJob = (Arc<dyn Job>, Option<LimitsFollower>);

/// A destination's part of a preview.
pub type RegisteredPreview = Box<dyn DestinationPreview>;

/// What a vendor's documentation says of its limits.
pub struct PublishedLimits {
    /// Calls a minute; `None`: nothing.
    pub rate_per_minute: Option<u32>,
    /// Changes a call.
    pub batch: usize,
}

impl Registration {
    /// Puts its consumer together; `None`: it is switched off.
    pub fn consumer(
        &self,
        context: &Context,
        queue: &Queue,
        closing: &CancellationToken,
    ) -> miette::Result<Option<Consumer>> {
        let destination = self.destination;
        let Some(limits) = context.config.limits(destination) else {
            return Ok(None);
        };
        let head = JobHead {
            rows: context.rows(destination),
            throttle: self.throttle(&limits, queue, closing),
        };
        let job = (self.job)(context, head)?;
        Ok(job.map(|(job, limits_follower)| Consumer {
            destination,
            limits,
            job,
            limits_follower,
        }))
    }

    /// For the service's calls and for those of commands.
    fn throttle(
        &self,
        limits: &DestinationLimits,
        queue: &Queue,
        closing: &CancellationToken,
    ) -> Throttle {
        let published = (self.published)();
        let limit = CallLimit {
            vendor: self.destination.into(),
            configured: limits.rate_per_minute,
            published: published.rate_per_minute,
        };
        Throttle::new(queue, limit, limits.timeout, published.batch, closing)
    }
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
