//! `run`: the service.

use std::process::ExitCode;

use miette::IntoDiagnostic;
use tokio_util::sync::CancellationToken;

use super::{assemble, context::Context, joined, signals};
use crate::{
    cli::{Global, pipeline::Run},
    console::{self, Console, Heartbeats, Tokens},
    metrics,
};

/// Until a signal.
pub async fn run(global: &Global, arguments: Run) -> miette::Result<ExitCode> {
    let context = Context::load(global)?;
    let metrics = metrics::install();
    let listener = console::bind(context.config.console.listen)
        .await
        .into_diagnostic()?;
    let address = listener.local_addr().into_diagnostic()?;
    let mut redis = context.redis().await?;
    context.refuse_unfit(&redis.queue).await?;

    let closing = CancellationToken::new();
    signals::drain_on_signal(&closing)?;
    redis.supervise(closing.clone());
    let heartbeats = Heartbeats::default();
    let fleet = assemble::fleet(
        &context,
        &redis.queue,
        heartbeats.clone(),
        closing.clone(),
        false,
    )?;
    let worker = fleet.worker.clone();

    // It serves until everything is drained: an orchestrator looks at the probes until the end.
    let drained = CancellationToken::new();
    let console = Console {
        metrics,
        heartbeats,
        tokens: Tokens {
            operator: context.config.console.operator_token.clone(),
            viewer: context.config.console.viewer_token.clone(),
        },
    };
    let server = tokio::spawn(console::serve(
        listener,
        console,
        drained.clone().cancelled_owned(),
    ));

    tracing::info!(worker, roles = ?arguments.roles, listen = %address, "running");
    let limit = context.config.worker.drain;
    let code = match signals::within_drain(fleet.run(&arguments.roles), &closing, limit).await {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => return Err(error).into_diagnostic(),
        None => {
            tracing::warn!(
                "calls were still under way after worker.drain: their leases end by themselves"
            );
            ExitCode::SUCCESS
        }
    };
    drained.cancel();
    joined(server.await)?.into_diagnostic()?;
    redis.close().await?;
    Ok(code)
}
