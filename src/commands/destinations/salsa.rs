//! Salsa.

mod probe;

use std::sync::Arc;

use jobs::{destination::Destination, salsa_upsert::SalsaLimits};
use queue::Queue;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{DestinationSummary, PublishedLimits, RegisteredJob, RegisteredPreview, Registration};
use crate::{
    commands::{
        context::{Context, settings},
        misused,
    },
    config::{Config, SalsaConfig},
    operations::{preview::salsa::SalsaPreview, supporters::SupporterCalls},
    pipeline::{
        fleet::{JobHead, LimitsFollower},
        salsa::SalsaConsumer,
        salsa_limits,
    },
    vendors::SalsaClient,
};

/// See [`super::ALL`].
pub const REGISTRATION: Registration = Registration {
    destination: Destination::Salsa,
    job,
    published,
    url: |config| config.salsa.as_ref().map(|salsa| salsa.url.as_str()),
    probe: |context| Box::pin(probe::probe(context)),
    preview,
    summary,
};

/// Its client.
fn client(salsa: &SalsaConfig) -> miette::Result<SalsaClient> {
    SalsaClient::new(
        salsa.url.as_str(),
        salsa.token.clone(),
        settings(salsa.timeout, salsa.ca_file.as_deref())?,
    )
    .map_err(misused)
}

/// Calls by hand, counted in the limit of the service where its Redis runs.
pub fn calls(salsa: &SalsaConfig, queue: Option<&Queue>) -> miette::Result<SupporterCalls> {
    // Ctrl-C ends these commands where they stand.
    let fleet =
        queue.map(|queue| REGISTRATION.throttle(&salsa.limits(), queue, &CancellationToken::new()));
    if fleet.is_none() {
        tracing::warn!(
            "no Redis answers: a service that uses the same token elsewhere does not know of these calls"
        );
    }
    Ok(SupporterCalls::new(
        client(salsa)?,
        salsa.rate_per_minute,
        fleet,
    ))
}

fn job(context: &Context, head: JobHead) -> miette::Result<Option<RegisteredJob>> {
    let config = &context.config;
    let (Some(salsa), Some(mapping)) = (&config.salsa, &config.mappings.salsa) else {
        return Ok(None);
    };
    let job = Arc::new(SalsaConsumer {
        client: client(salsa)?,
        mapping: Arc::clone(mapping),
        create_missing: salsa.create_missing,
        head,
        throttled: Notify::new(),
    });
    let follower: LimitsFollower = Box::new({
        let job = Arc::clone(&job);
        |bell| Box::pin(salsa_limits::follow(job, bell))
    });
    Ok(Some((job, Some(follower))))
}

fn published() -> PublishedLimits {
    let published = SalsaLimits::default();
    PublishedLimits {
        rate_per_minute: Some(published.rate_per_minute),
        batch: published.max_batch,
    }
}

fn preview(context: &Context, queue: Option<&Queue>) -> miette::Result<Option<RegisteredPreview>> {
    let config = &context.config;
    let (Some(salsa), Some(mapping)) = (&config.salsa, &config.mappings.salsa) else {
        return Ok(None);
    };
    Ok(Some(Box::new(SalsaPreview::new(
        Arc::clone(mapping),
        salsa.create_missing,
        context.anonymous_allowed(),
        calls(salsa, queue)?,
    ))))
}

fn summary(config: &Config) -> Option<DestinationSummary> {
    let operation = match config.salsa.as_ref()?.create_missing {
        false => "updates supporters that exist",
        true => "updates supporters, and adds those that are missing",
    };
    Some(DestinationSummary {
        operation,
        targets: config.mappings.salsa.as_ref()?.targets().collect(),
        unlimited: format!(
            "as many calls a minute as Salsa says, else {}",
            SalsaLimits::default().rate_per_minute
        ),
    })
}
