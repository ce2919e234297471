//! From a job's outcome to the queue's transition. Only here is it decided that attempts are used up.

use std::time::Duration;

use jobs::{
    outcome::{DeadClass, Outcome, PauseReason},
    retry::RetryPolicy,
};

/// How a lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// Applied.
    Done {
        /// For the timeline.
        detail: String,
    },
    /// Again at a later time, by Redis' clock.
    Retry {
        /// From now.
        delay: Duration,
        /// How many attempts are used up with this one.
        attempts: u32,
        /// Why.
        cause: String,
    },
    /// The destination holds off; no attempt is used.
    Pause {
        /// At least this long; `None` lets the gate choose.
        delay: Option<Duration>,
        /// Which kind.
        reason: PauseReason,
        /// Why.
        cause: String,
    },
    /// A person must look.
    Dead {
        /// Which kind.
        class: DeadClass,
        /// Why.
        cause: String,
        /// What to do.
        advice: String,
        /// How many attempts were made.
        attempts: u32,
    },
    /// Never started: given back as it was.
    Release,
}

impl Transition {
    /// The wire word of the settle script, and the metric label `outcome`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Retry { .. } => "retry",
            Self::Pause { .. } => "pause",
            Self::Dead { .. } => "dead",
            Self::Release => "release",
        }
    }
}

impl Transition {
    /// What a failure becomes when it turns out to be the vendor's.
    pub fn as_outage(&self) -> Self {
        let cause = match self {
            Self::Retry { cause, .. } | Self::Pause { cause, .. } | Self::Dead { cause, .. } => {
                cause
            }
            Self::Done { .. } | Self::Release => "",
        };
        Self::Pause {
            delay: None,
            reason: PauseReason::Outage,
            cause: cause.to_owned(),
        }
    }
}

/// What follows from `outcome` for a change that had used `attempts` before. `random` is in `[0, 1)`.
pub fn decide(
    outcome: Option<Outcome>,
    attempts: u32,
    policy: &RetryPolicy,
    random: f64,
) -> Transition {
    let attempts = attempts.saturating_add(1);
    match outcome {
        None => Transition::Release,
        Some(Outcome::Done { detail }) => Transition::Done { detail },
        Some(Outcome::Pause {
            after,
            reason,
            cause,
        }) => Transition::Pause {
            delay: after,
            reason,
            cause,
        },
        Some(Outcome::Dead {
            class,
            cause,
            advice,
        }) => Transition::Dead {
            class,
            cause,
            advice,
            attempts,
        },
        Some(Outcome::Retry { cause, .. }) if attempts >= policy.max_attempts => Transition::Dead {
            class: DeadClass::Exhausted,
            cause: format!("all {attempts} attempts failed, the last with: {cause}"),
            advice: "Find out why the destination keeps failing on this change, then replay it."
                .to_owned(),
            attempts,
        },
        Some(Outcome::Retry { after, cause }) => Transition::Retry {
            delay: policy.delay(attempts, random, after),
            attempts,
            cause,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            initial: Duration::from_secs(1),
            ceiling: Duration::from_secs(60),
            max_attempts: 3,
        }
    }

    fn retry(after: Option<Duration>) -> Option<Outcome> {
        Some(Outcome::Retry {
            after,
            cause: "HTTP 500".to_owned(),
        })
    }

    #[test]
    fn the_last_attempt_that_fails_is_a_dead_letter_and_not_a_retry() {
        assert!(matches!(
            decide(retry(None), 1, &policy(), 0.5),
            Transition::Retry { attempts: 2, .. }
        ));
        let Transition::Dead {
            class, attempts, ..
        } = decide(retry(None), 2, &policy(), 0.5)
        else {
            panic!("the third of three attempts must be the last");
        };
        assert_eq!((class, attempts), (DeadClass::Exhausted, 3));
    }

    #[test]
    fn retry_after_is_the_least_delay() {
        let hour = Duration::from_secs(3600);
        let Transition::Retry { delay, .. } = decide(retry(Some(hour)), 0, &policy(), 0.0) else {
            panic!("a first failure is retried");
        };
        assert!(delay >= hour);
    }

    #[test]
    fn a_pause_never_uses_an_attempt_up() {
        let outage = Some(Outcome::Pause {
            after: None,
            reason: PauseReason::Outage,
            cause: "connection refused".to_owned(),
        });
        assert!(matches!(
            decide(outage, 2, &policy(), 0.0),
            Transition::Pause { .. }
        ));
    }

    #[test]
    fn what_was_never_started_is_given_back() {
        assert_eq!(decide(None, 2, &policy(), 0.0), Transition::Release);
    }
}
