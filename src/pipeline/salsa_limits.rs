//! Salsa's limits, asked by one process for the fleet and followed by all.

use std::{convert::Infallible, sync::Arc, time::Duration};

use jobs::{
    outcome::{Outcome, PauseReason},
    salsa_upsert::{self, CallFailure, SalsaLimits},
};
use queue::{
    QueueError,
    calls::{CallPurpose, LimitsTurn},
    wake::Bell,
};

use super::salsa::SalsaConsumer;

/// How old the fleet's knowledge may become.
const AGE: Duration = Duration::from_secs(60);

/// How long nobody else asks while one does.
const CLAIM: Duration = Duration::from_secs(30);

/// How soon it is asked again when it did not say.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// How often each process looks what the others learned while it may miss a call.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The pace while Redis is away.
const REDIS_AWAY: Duration = Duration::from_secs(1);

/// Takes its turns of asking, for as long as it is polled.
pub async fn follow(salsa: Arc<SalsaConsumer>, bell: Bell) -> Infallible {
    loop {
        let pause = match look(&salsa).await {
            // What the others learn meanwhile comes with each place for a call.
            Ok(wait) if bell.hears() => wait.min(AGE),
            Ok(wait) => wait.min(LOOK_AGAIN),
            Err(error) => {
                tracing::debug!(%error, "cannot look up Salsa's limits");
                REDIS_AWAY
            }
        };
        tokio::select! {
            () = salsa.throttled.notified() => {}
            () = bell.rung() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Asks if it is this process's turn; says when to look again.
async fn look(salsa: &SalsaConsumer) -> Result<Duration, QueueError> {
    let throttle = &salsa.head.throttle;
    let (turn, batch) = throttle
        .queue
        .limits_turn(&throttle.limit, AGE, CLAIM)
        .await?;
    throttle.know_batch(batch);
    if let LimitsTurn::Wait(wait) = turn {
        return Ok(wait);
    }
    // The question is a call like any other in Salsa's count.
    let place = throttle.reserve_without_lease(CallPurpose::Question);
    let Ok(Some(place)) = tokio::time::timeout(CLAIM, place).await else {
        return Ok(LOOK_AGAIN);
    };
    let reply = throttle.spend(place, salsa.client.metrics(None)).await;
    let (queue, vendor) = (&throttle.queue, throttle.limit.vendor);
    let limits = salsa_upsert::classify(&reply).map(|payload| SalsaLimits::read(&payload));
    let outcome = match limits.map_err(CallFailure::for_one_item) {
        Ok(limits) => {
            tracing::debug!(?limits, "Salsa's limits");
            throttle.know_batch(Some(limits.max_batch));
            let SalsaLimits {
                rate_per_minute: rate,
                max_batch: batch,
                ..
            } = limits;
            queue.limits_told(vendor, rate, batch).await?;
            return Ok(AGE);
        }
        Err(outcome) => outcome,
    };
    tracing::warn!(?outcome, "Salsa does not tell its limits");
    queue.limits_untold(vendor, ASK_AGAIN).await?;
    salsa.hold_off_if_throttled(&outcome).await;
    match outcome {
        // One question that finds Salsa down stops nobody: the calls with changes tell.
        Outcome::Pause {
            after: None,
            reason: PauseReason::Outage,
            ..
        } => {}
        Outcome::Pause {
            after,
            reason,
            cause,
        } => queue.shut(vendor, after, reason, &cause).await?,
        _ => {}
    }
    Ok(ASK_AGAIN)
}
