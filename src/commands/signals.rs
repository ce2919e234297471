//! SIGTERM and Ctrl-C: the first drains, the second ends the process at once.

use std::future::Future;

use miette::IntoDiagnostic;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The shell's code for a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Cancels `closing` at the first signal, exits at the second.
///
/// # Errors
/// The process may not listen to signals.
pub fn drain_on_signal(closing: &CancellationToken) -> miette::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).into_diagnostic()?;
    let mut interrupt = signal(SignalKind::interrupt()).into_diagnostic()?;
    let closing = closing.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        tracing::info!(
            "draining: what has begun is finished, the rest is given back; a second signal ends at once"
        );
        closing.cancel();
        next().await;
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

/// Runs `work`; once `closing` is cancelled it has `limit` to end. `None`: it did not.
pub async fn within_drain<T>(
    work: impl Future<Output = T>,
    closing: &CancellationToken,
    limit: std::time::Duration,
) -> Option<T> {
    let too_long = async {
        closing.cancelled().await;
        tokio::time::sleep(limit).await;
    };
    tokio::select! {
        done = work => Some(done),
        () = too_long => None,
    }
}
