//! Salsa's supporters by hand: calls in batches that it takes, at a pace that leaves room for the service.

use std::{collections::VecDeque, time::Duration};

use jobs::{
    outcome::{Outcome, PauseReason},
    reply::Reply,
    salsa_upsert::{self, CallFailure, Payload, SalsaLimits},
};
use queue::calls::CallPurpose;
use serde_json::Value;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use crate::{pipeline::throttle::Throttle, vendors::SalsaClient};

/// How long all waits that Salsa asks for may take together.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// The shortest wait, whatever Salsa says.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// The operations that take batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SupporterOperation {
    /// `POST supporters/search`.
    Search,
    /// `DELETE supporters`.
    Delete,
}

/// A part of the ids and what was answered to it; `None`: it was never sent, because what came before it
/// failed for everyone.
pub type BatchAnswer = (Vec<String>, Option<Result<Payload, Outcome>>);

/// Sends calls.
pub struct SupporterCalls {
    client: SalsaClient,
    pace: Interval,
    /// The service's; `None`: there is none to share with.
    fleet: Option<Throttle>,
    patience: Duration,
    batch: usize,
}

impl SupporterCalls {
    /// At half of `rate` calls a minute (what Salsa publishes, where none is configured): the token is the
    /// service's too. Each call is booked in the `fleet`'s limit.
    pub fn new(client: SalsaClient, rate: Option<u32>, fleet: Option<Throttle>) -> Self {
        let published = SalsaLimits::default();
        let rate = rate.unwrap_or(published.rate_per_minute);
        let mut pace = interval(Duration::from_secs(60) * 2 / rate.max(1));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            client,
            pace,
            fleet,
            patience: PATIENCE,
            batch: published.max_batch,
        }
    }

    /// Sends `ids` in batches until each is answered or a failure meets them all alike.
    pub async fn each(
        &mut self,
        operation: SupporterOperation,
        ids: &[String],
        body: impl Fn(&[String]) -> Value,
    ) -> Vec<BatchAnswer> {
        let mut parts: VecDeque<Vec<String>> = split(ids, self.batch);
        let mut answered = Vec::new();
        while let Some(part) = parts.pop_front() {
            match self.call(operation, &body(&part)).await {
                Ok(payload) => answered.push((part, Some(Ok(payload)))),
                Err(failure) => match failure.smaller_batch(part.len()) {
                    Some(size) => {
                        if let CallFailure::BatchTooLarge { .. } = failure {
                            // What is still to be sent would be too large as well.
                            let rest: Vec<String> = parts.into_iter().flatten().collect();
                            parts = split(&rest, size);
                            self.batch = size;
                        }
                        for smaller in split(&part, size).into_iter().rev() {
                            parts.push_front(smaller);
                        }
                    }
                    None => {
                        let outcome = failure.for_one_item();
                        let meets_all = matches!(outcome, Outcome::Pause { .. });
                        answered.push((part, Some(Err(outcome))));
                        if meets_all {
                            answered.extend(parts.drain(..).map(|part| (part, None)));
                        }
                    }
                },
            }
        }
        answered
    }

    /// One page of a search by modification date: the payload, and how many records the call asked for.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn page(
        &mut self,
        most: usize,
        body: impl Fn(usize) -> Value,
    ) -> Result<(Payload, usize), Outcome> {
        loop {
            let count = most.min(self.batch);
            match self.call(SupporterOperation::Search, &body(count)).await {
                Ok(payload) => return Ok((payload, count)),
                Err(failure @ CallFailure::BatchTooLarge { .. }) => {
                    match failure.smaller_batch(count) {
                        Some(size) => self.batch = size,
                        None => return Err(failure.for_one_item()),
                    }
                }
                Err(failure) => return Err(failure.for_one_item()),
            }
        }
    }

    /// One call; a throttled one is repeated after the wait that Salsa asks for.
    async fn call(
        &mut self,
        operation: SupporterOperation,
        body: &Value,
    ) -> Result<Payload, CallFailure> {
        loop {
            let reply = self.send(operation, body).await;
            let failure = match salsa_upsert::classify(&reply) {
                Ok(payload) => return Ok(payload),
                Err(failure) => failure,
            };
            let Some(wait) = wait(&failure).filter(|wait| *wait <= self.patience) else {
                return Err(failure);
            };
            self.patience -= wait;
            tracing::warn!("Salsa asks for fewer calls: waiting {} s", wait.as_secs());
            sleep(wait).await;
        }
    }

    async fn send(&mut self, operation: SupporterOperation, body: &Value) -> Reply {
        self.pace.tick().await;
        let place = match &self.fleet {
            Some(fleet) => fleet.reserve_without_lease(CallPurpose::Hand).await,
            None => None,
        };
        let call = async {
            match operation {
                SupporterOperation::Search => self.client.search(body, None).await,
                SupporterOperation::Delete => self.client.delete(body, None).await,
            }
        };
        match (&self.fleet, place) {
            (Some(fleet), Some(place)) => fleet.spend(place, call).await,
            (Some(_), None) => {
                tracing::warn!(
                    "Redis is away: the calls are no longer booked in the service's limit"
                );
                let reply = call.await;
                self.fleet = None;
                reply
            }
            (None, _) => call.await,
        }
    }
}

/// How long a throttled call waits; `None` for what waiting does not mend.
fn wait(failure: &CallFailure) -> Option<Duration> {
    match failure {
        CallFailure::Items(Outcome::Pause {
            after,
            reason: PauseReason::Throttled,
            ..
        }) => Some(after.unwrap_or_default().max(SHORTEST_WAIT)),
        _ => None,
    }
}

fn split(ids: &[String], size: usize) -> VecDeque<Vec<String>> {
    ids.chunks(size.max(1)).map(<[String]>::to_vec).collect()
}

/// What an outcome says to a person at a terminal: what happened, and what to do.
pub fn told(outcome: Outcome) -> (String, &'static str) {
    match outcome {
        Outcome::Pause { reason, cause, .. } => (
            cause,
            match reason {
                PauseReason::Credentials => {
                    "put a token of Salsa's Integration API into salsa.token (SALSA_AUTH_TOKEN)"
                }
                PauseReason::Throttled => {
                    "the token is used by others too: try again in some minutes"
                }
                PauseReason::Outage | PauseReason::Operator => {
                    "check salsa.url and the network, or try again later"
                }
            },
        ),
        Outcome::Retry { cause, .. } => (cause, "try again"),
        Outcome::Dead { cause, .. } => (cause, "check what was given"),
        Outcome::Done { detail } => (detail, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_throttled_call_is_waited_for_and_never_for_nothing() {
        let pause = |after: Option<u64>, reason| {
            CallFailure::Items(Outcome::Pause {
                after: after.map(Duration::from_secs),
                reason,
                cause: String::new(),
            })
        };
        for (failure, expected) in [
            (pause(Some(7), PauseReason::Throttled), Some(7)),
            (pause(Some(0), PauseReason::Throttled), Some(1)),
            (pause(None, PauseReason::Throttled), Some(1)),
            (pause(Some(7), PauseReason::Outage), None),
            (pause(None, PauseReason::Credentials), None),
            (CallFailure::BatchTooLarge { allowed: None }, None),
        ] {
            assert_eq!(
                wait(&failure),
                expected.map(Duration::from_secs),
                "{failure:?}"
            );
        }
    }

    #[test]
    fn batches_are_never_larger_than_asked_for_and_lose_nothing() {
        let ids: Vec<String> = (0..45).map(|id| id.to_string()).collect();
        let parts = split(&ids, 20);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 5]);
        assert_eq!(parts.into_iter().flatten().collect::<Vec<_>>(), ids);
        assert!(split(&[], 0).is_empty());
    }
}
