//! Puts a process's roles together from the configuration.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU32},
};

use jobs::destination::{Destination, Vendor};
use queue::{Queue, acknowledgement::AckLimits, stopping::Stopping, wake::Bells};

use super::{context::Context, destinations};
use crate::{
    config::{AcknowledgeMode, AnonymousRows, Config},
    observe::{Heartbeats, traces::Traces},
    operations::{Operations, OperationsConfig, allowed::ConfiguredLimits},
    pipeline::{acknowledger::Acknowledger, fleet::Fleet, notifier::Notifier, producer::Producer},
    vendors::AlumniqClient,
};

/// A name that tells processes of the fleet apart, without spaces.
pub fn worker_name() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host: String = host
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c))
        .collect();
    format!(
        "{host}-{}-{:04x}",
        std::process::id(),
        rand::random::<u16>()
    )
}

/// Every role; [`Fleet::run`] is told which to run. `eager`: acknowledge at once when nothing else is in flight.
pub fn fleet(
    context: &Context,
    queue: &Queue,
    heartbeats: Heartbeats,
    stopping: &Stopping,
    eager: bool,
) -> miette::Result<Fleet> {
    let config = &context.config;
    let told_on_fetch = config.alumniq.acknowledge == AcknowledgeMode::OnFetch;
    let mut consumers = Vec::new();
    for registered in &destinations::ALL {
        consumers.extend(registered.consumer(context, queue, &stopping.closing)?);
    }
    let worker = worker_name();
    let traces = context.traces(&worker)?;
    let alumniq = Arc::new(context.alumniq()?);
    Ok(Fleet {
        queue: queue.clone(),
        lease: config.worker.lease,
        consumers,
        producer: Arc::new(producer(
            context,
            queue,
            Arc::clone(&alumniq),
            &worker,
            traces.clone(),
        )),
        acknowledger: Acknowledger {
            queue: queue.clone(),
            client: alumniq,
            limits: AckLimits {
                max_batch: config.acknowledge.max_batch as usize,
                max_wait: config.acknowledge.max_wait,
                eager,
                lease: config.worker.lease,
            },
            told_on_fetch,
            acknowledged: Arc::default(),
            controls_refused: AtomicU32::new(0),
            worker: worker.clone(),
            traces: traces.clone(),
        },
        notifier: notifier(context, queue)?,
        worker,
        traces,
        heartbeats,
        bells: Bells::default(),
        stopping: stopping.clone(),
    })
}

/// What fetches.
fn producer(
    context: &Context,
    queue: &Queue,
    client: Arc<AlumniqClient>,
    who: &str,
    traces: Traces,
) -> Producer {
    let config = &context.config;
    Producer {
        queue: queue.clone(),
        client,
        names: Arc::clone(&config.mappings.names),
        timezone: config.alumniq.timezone.clone(),
        lookback_days: config.alumniq.lookback_days,
        schedule: config.alumniq.poll,
        mark_on_fetch: config.alumniq.acknowledge == AcknowledgeMode::OnFetch,
        lease: config.worker.lease,
        who: who.to_owned(),
        traces,
    }
}

/// What operators can do with `queue` in the process `worker`.
pub fn operations(context: &Context, queue: &Queue, worker: &str) -> miette::Result<Operations> {
    let config = &context.config;
    let client = Arc::new(context.alumniq()?);
    // An operator's fetch is in the log and in no trace: whoever works on its changes tells the rest.
    let producer = producer(context, queue, client, worker, Traces::default());
    let config = OperationsConfig {
        anonymous_allowed: config.alumniq.anonymous == AnonymousRows::Match,
        mappings: config.mappings.by_destination(),
        max_wait: config.acknowledge.max_wait,
        allowed: allowed(config),
    };
    Ok(Operations::new(producer, config))
}

fn allowed(config: &Config) -> BTreeMap<Vendor, ConfiguredLimits> {
    let destinations = Destination::ALL.into_iter().filter_map(|destination| {
        let limits = config.limits(destination)?;
        let allowed = ConfiguredLimits {
            concurrency: Some(limits.concurrency),
            rate_per_minute: limits.rate_per_minute,
            batch: destination.batch(),
        };
        Some((destination.into(), allowed))
    });
    let alumniq = ConfiguredLimits {
        concurrency: None,
        rate_per_minute: None,
        batch: Some(config.acknowledge.max_batch),
    };
    destinations.chain([(Vendor::Alumniq, alumniq)]).collect()
}

/// `None` where nobody wants to be told.
fn notifier(context: &Context, queue: &Queue) -> miette::Result<Option<Arc<Notifier>>> {
    let notify = &context.config.notify;
    let Some(webhook) = context.webhook()? else {
        return Ok(None);
    };
    Ok(Some(Arc::new(Notifier {
        queue: queue.clone(),
        webhook,
        format: notify.format,
        after: notify.after,
        console: notify.console_url.as_ref().map(ToString::to_string),
    })))
}
