//! SIGTERM, Ctrl-C and a terminal that closes: the first signal drains, a second one ends the process at once.

use std::{
    future::Future,
    io, process,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use miette::IntoDiagnostic;
use queue::stopping::Stopping;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use crate::{exit::Exit, observe::logs};

/// What was given up after `worker.drain` is given back in this time: one call of Redis, tried a few times. A
/// Redis that is away for longer must not keep an orchestrator waiting until it kills; leases end by themselves.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// A first signal came.
static CAME: AtomicBool = AtomicBool::new(false);

/// A second signal came. Signals are the process's, so this is too.
static AT_ONCE: Notify = Notify::const_new();

/// Whether the newest signal was Ctrl-C.
static WAS_CTRL_C: AtomicBool = AtomicBool::new(true);

/// How long what is dropped at a second signal may take.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a command that only looks may take to end after a signal. A terminal that nobody reads (Ctrl-S) could hold
/// it for ever.
const DROPPED: Duration = Duration::from_secs(5);

/// Cancels `closing` at the first signal, and says so in the log.
///
/// # Errors
/// The process may not listen to signals.
pub fn drain_on_signal(closing: &CancellationToken) -> miette::Result<()> {
    let closing = closing.clone();
    listen(move || {
        closing.cancel();
        tracing::info!(
            "draining: what has begun is finished, the rest is given back; a second signal ends at once"
        );
    })
}

/// Runs `work` until the first signal drops it: `None`.
///
/// # Errors
/// The process may not listen to signals.
pub async fn unless_interrupted<T>(work: impl Future<Output = T>) -> miette::Result<Option<T>> {
    Ok(interruption()?.run_until_cancelled(work).await)
}

/// Is cancelled at the first signal; the process ends soon after.
///
/// # Errors
/// The process may not listen to signals.
pub fn interruption() -> miette::Result<CancellationToken> {
    let interrupted = CancellationToken::new();
    listen({
        let interrupted = interrupted.clone();
        move || {
            interrupted.cancel();
            tokio::spawn(async {
                tokio::time::sleep(DROPPED).await;
                leave();
            });
        }
    })?;
    Ok(interrupted)
}

/// How a command ends that a signal ended before it was done.
pub fn exit() -> Exit {
    match WAS_CTRL_C.load(Ordering::Relaxed) {
        true => Exit::Interrupted,
        false => Exit::Terminated,
    }
}

/// Whether a signal came that the command listens to.
pub fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}

/// Completes at the second signal.
pub async fn second() {
    AT_ONCE.notified().await;
}

fn listen(first: impl FnOnce() + Send + 'static) -> miette::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).into_diagnostic()?;
    let mut interrupt = signal(SignalKind::interrupt()).into_diagnostic()?;
    let mut hangup = hangup().into_diagnostic()?;
    tokio::spawn(async move {
        let was_ctrl_c = tokio::select! {
            _ = terminate.recv() => false,
            _ = interrupt.recv() => true,
            () = hung_up(&mut hangup) => false,
        };
        WAS_CTRL_C.store(was_ctrl_c, Ordering::Relaxed);
        CAME.store(true, Ordering::Relaxed);
        first();
        // A terminal that closes says so twice, and systemd may say it after a SIGTERM: that is nobody's hurry.
        let was_ctrl_c = tokio::select! {
            _ = terminate.recv() => false,
            _ = interrupt.recv() => true,
        };
        WAS_CTRL_C.store(was_ctrl_c, Ordering::Relaxed);
        AT_ONCE.notify_one();
        tokio::time::sleep(LAST_WORDS * 2).await;
        leave();
    });
    Ok(())
}

/// Ends the process where its main thread doesn't.
fn leave() -> ! {
    logs::flush();
    process::exit(i32::from(exit().code()));
}

/// A terminal's end, unless whoever started us said to ignore it (`nohup`): to listen would undo that. Where the
/// system does not say, it keeps its own way.
fn hangup() -> io::Result<Option<Signal>> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    match heeds_hangups(&status) {
        true => signal(SignalKind::hangup()).map(Some),
        false => Ok(None),
    }
}

/// Linux' mask of ignored signals; SIGHUP is its lowest bit.
fn heeds_hangups(status: &str) -> bool {
    let mask = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 0)
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Runs `work`, which obeys `stopping`: once it closes, calls have `limit` to end before they are abandoned.
/// `None`: it did not even end then, because Redis is away; what it holds returns when the leases end.
pub async fn within_drain<T>(
    work: impl Future<Output = T>,
    stopping: &Stopping,
    limit: Duration,
) -> Option<T> {
    let too_long = async {
        stopping.closing.cancelled().await;
        tokio::time::sleep(limit).await;
        stopping.abandon.cancel();
        tokio::time::sleep(GIVING_BACK).await;
        tracing::warn!(
            "ending although not everything is given back: the rest returns by itself when its leases end \
             (worker.lease)"
        );
    };
    tokio::select! {
        done = work => Some(done),
        () = too_long => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_is_heeded_unless_it_is_ignored_or_nobody_knows() {
        assert!(heeds_hangups("Name:\tx\nSigIgn:\t0000000000001000\n"));
        assert!(!heeds_hangups("Name:\tx\nSigIgn:\t0000000000001001\n"));
        assert!(!heeds_hangups(""));
    }
}
