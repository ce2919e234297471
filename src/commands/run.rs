//! `run`: the service.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use miette::IntoDiagnostic;
use queue::stopping::Stopping;
use tokio::time::{sleep, timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    assemble,
    context::{Context, Redis, Unusable},
    joined, signals,
};
use crate::{
    cli::{GlobalArgs, pipeline::RunArgs},
    console::{self, Console, Guard, Rules},
    exit::Exit,
    observe::{Heartbeats, metrics},
    pipeline::{fleet::Fleet, roles::Role},
};

/// How soon a Redis that cannot be used is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Until a signal.
pub async fn run(global: &GlobalArgs, arguments: RunArgs) -> miette::Result<Exit> {
    let context = Context::load_service(global)?;
    let stopping = Stopping::default();
    signals::drain_on_signal(&stopping.closing)?;
    let metrics = metrics::install(context.config.namespace.as_str());
    metrics::fetch_interval(context.config.alumniq.poll.longest_interval());
    let listener = console::bind(context.config.console.listen)
        .await
        .into_diagnostic()?;
    let address = listener.local_addr().into_diagnostic()?;
    let heartbeats = Heartbeats::until(stopping.closing.clone());

    // It serves from before Redis answers until everything is drained: an orchestrator looks at the probes all
    // the time.
    let drained = CancellationToken::new();
    let operations = Arc::new(OnceLock::new());
    let guard = Guard::new(Rules::from(&context.config.console));
    let console = Console {
        metrics,
        heartbeats: heartbeats.clone(),
        guard: Arc::clone(&guard),
        operations: Arc::clone(&operations),
    };
    let server = tokio::spawn(console::serve(
        listener,
        console,
        drained.clone().cancelled_owned(),
    ));

    let starting = stopping
        .closing
        .run_until_cancelled(open(&context, &heartbeats));
    if let Some(redis) = starting.await {
        let redis = redis?;
        redis.log_weaknesses();
        let fleet = assemble::fleet(&context, &redis.queue, heartbeats, &stopping, false)?;
        let _ = guard.queue.set(redis.queue.clone());
        let (worker, roles) = (&fleet.worker, &arguments.roles);
        let campus = assemble::operations(&context, &redis.queue, worker)?;
        let bulks = roles.contains(&Role::Console).then(|| {
            let _ = operations.set(campus.clone());
            let (bells, closing) = (fleet.bells.clone(), stopping.closing.clone());
            AbortOnDropHandle::new(tokio::spawn(async move {
                campus.work_bulks(None, bells.bulks(), &closing).await;
            }))
        });
        tracing::info!(worker, ?roles, listen = %address, "running");
        work(&context, redis, fleet, roles, bulks, &stopping).await?;
    }
    drained.cancel();
    joined(server.await)?;
    Ok(Exit::Good)
}

/// The queue, as soon as Redis can be used. Until then the process is not ready, and says why.
async fn open(context: &Context, heartbeats: &Heartbeats) -> miette::Result<Redis> {
    let beat = heartbeats.register("redis", TRY_AGAIN);
    let mut is_told = false;
    loop {
        let report = match context.open_to_write().await {
            Err(report) => report,
            opened => return opened,
        };
        match report.downcast_ref::<Unusable>() {
            Some(unusable) if unusable.may_pass() => {
                beat.waits(unusable.to_string());
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!("{unusable}; this process waits and is not ready");
                }
            }
            _ => return Err(report),
        }
        sleep(TRY_AGAIN).await;
    }
}

async fn work(
    context: &Context,
    redis: Redis,
    fleet: Fleet,
    roles: &[Role],
    bulks: Option<AbortOnDropHandle<()>>,
    stopping: &Stopping,
) -> miette::Result<()> {
    let limit = context.config.worker.drain;
    if let Some(ended) = signals::within_drain(fleet.run(roles), stopping, limit).await {
        ended.into_diagnostic()?;
    }
    if let Some(bulks) = bulks {
        // It ends between two steps; where Redis is away it is given up, and its lease ends by itself.
        let _ = timeout(limit, bulks).await;
    }
    redis.close().await
}
