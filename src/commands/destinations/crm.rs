//! The CRM.

mod probe;

use std::sync::Arc;

use jobs::destination::Destination;
use queue::Queue;

use super::{DestinationSummary, PublishedLimits, RegisteredJob, RegisteredPreview, Registration};
use crate::{
    commands::{
        context::{Context, settings},
        misused,
    },
    config::{Config, CrmConfig, CrmOperation},
    operations::preview::unread::UnreadPreview,
    pipeline::{crm::CrmConsumer, fleet::JobHead},
    vendors::CrmClient,
};

/// See [`super::ALL`].
pub const REGISTRATION: Registration = Registration {
    destination: Destination::Crm,
    job,
    published: || PublishedLimits {
        rate_per_minute: None,
        batch: 1,
    },
    url: |config| config.crm.as_ref().map(|crm| crm.url.as_str()),
    probe: |context| Box::pin(probe::probe(context)),
    preview,
    summary,
};

/// Its client.
pub fn client(crm: &CrmConfig) -> miette::Result<CrmClient> {
    let options = crm.options().ok_or_else(|| {
        misused("the CRM's credentials are incomplete: set crm.username and crm.password")
    })?;
    CrmClient::new(
        crm.url.as_str(),
        options,
        settings(crm.timeout, crm.ca_file.as_deref())?,
    )
    .map_err(misused)
}

fn job(context: &Context, head: JobHead) -> miette::Result<Option<RegisteredJob>> {
    let config = &context.config;
    let (Some(crm), Some(mapping)) = (&config.crm, &config.mappings.crm) else {
        return Ok(None);
    };
    let job = CrmConsumer {
        client: client(crm)?,
        mapping: Arc::clone(mapping),
        head,
    };
    Ok(Some((Arc::new(job), None)))
}

fn preview(context: &Context, _: Option<&Queue>) -> miette::Result<Option<RegisteredPreview>> {
    let mapping = context.config.mappings.crm.clone();
    Ok(mapping.map(|mapping| {
        Box::new(UnreadPreview {
            destination: Destination::Crm,
            mapping,
            anonymous_allowed: context.anonymous_allowed(),
        }) as _
    }))
}

fn summary(config: &Config) -> Option<DestinationSummary> {
    let operation = match config.crm.as_ref()?.operation {
        CrmOperation::Update => "updates contacts that exist",
        CrmOperation::Upsert => "updates contacts, and adds those that are missing",
    };
    let targets = config.mappings.crm.as_ref()?.targets();
    Some(DestinationSummary {
        operation,
        targets: targets.map(str::to_owned).collect(),
        unlimited: "no limit of calls".to_owned(),
    })
}
