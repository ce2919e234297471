//! What came of each attempt, counted, logged and traced in one place: after Redis has it, because only then is it
//! known whether it counts.

use jobs::call_log::CHANGE;
use queue::{driver::Attempted, executor::Transition};

use crate::observe::{
    metrics,
    traces::{TraceStep, Traces},
};

/// Tells of one attempt.
pub fn observe(attempted: &Attempted<'_>, traces: &Traces) {
    count(attempted);
    log(attempted);
    trace(attempted, traces);
}

fn count(attempted: &Attempted<'_>) {
    let destination = attempted.destination;
    let Some(transition) = attempted.transition else {
        metrics::settles_refused(destination, 1);
        return;
    };
    metrics::job_settled(destination, transition.kind(), attempted.took);
}

fn log(attempted: &Attempted<'_>) {
    let Attempted {
        destination,
        worker,
        lease,
        ..
    } = attempted;
    let (change_id, attempt) = (&lease.change_id, attempted.attempt());
    /// One line about this attempt; its fields cost nothing where nobody reads it.
    macro_rules! line {
        ($level:ident, $($fields:tt)*) => {
            tracing::$level!(
                target: CHANGE, change_id, %destination, attempt, worker,
                request_id = lease.call_log.request_ids(), $($fields)*
            )
        };
    }
    match attempted.transition {
        None => line!(
            warn,
            "refused: the lease was lost, the result is not recorded"
        ),
        // Its detail names the person's record at the vendor.
        Some(Transition::Done { .. }) => line!(debug, "applied"),
        Some(
            Transition::Retry { delay, cause, .. }
            | Transition::Exhausted { delay, cause, .. }
            | Transition::Defer { delay, cause, .. },
        ) => {
            line!(warn, cause, after_ms = delay.as_millis() as u64, "retry");
        }
        Some(Transition::Dead { class, cause, .. }) => line!(warn, %class, cause, "dead letter"),
        // The pause itself is the destination's, and told once by the queue.
        Some(Transition::Pause { reason, cause, .. }) => {
            line!(
                debug,
                reason = reason.as_str(),
                cause,
                "waits for the pause to end"
            );
        }
        Some(Transition::Release) => line!(debug, "never begun"),
        Some(Transition::Abandon) => {
            line!(info, "given back with its call under way: it comes again")
        }
    }
}

fn trace(attempted: &Attempted<'_>, traces: &Traces) {
    // What was never begun is no attempt.
    let (Some(begun), true) = (
        attempted.begun,
        !matches!(attempted.transition, Some(Transition::Release)),
    ) else {
        return;
    };
    let (outcome, failure) = match attempted.transition {
        None => ("refused", Some("the lease was lost")),
        Some(transition) => (transition.kind(), failure(transition)),
    };
    traces.step(&TraceStep {
        change_id: &attempted.lease.change_id,
        fetched_at: attempted.lease.fetched_at,
        name: attempted.destination.step(),
        destination: Some(attempted.destination.as_str()),
        attempt: Some(attempted.attempt()),
        outcome,
        failure,
        begun,
        ended: begun + attempted.took,
        call_log: &attempted.lease.call_log,
    });
}

fn failure(transition: &Transition) -> Option<&str> {
    match transition {
        Transition::Done { .. } | Transition::Release => None,
        Transition::Retry { cause, .. }
        | Transition::Exhausted { cause, .. }
        | Transition::Defer { cause, .. }
        | Transition::Pause { cause, .. }
        | Transition::Dead { cause, .. } => Some(cause),
        Transition::Abandon => Some("given up while it was under way"),
    }
}
