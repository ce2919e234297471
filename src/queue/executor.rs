//! From a job's outcome to the queue's transition. Only here is it decided that attempts are used up.

use std::{borrow::Cow, time::Duration};

use jobs::{
    outcome::{Blame, DeadClass, Outcome, PauseReason},
    retry::RetryPolicy,
};

use super::verdict::SettleVerdict;

/// What to do about a change that kept failing.
pub(super) const EXHAUSTED_ADVICE: &str =
    "Find out why the destination keeps failing on this change, then replay it.";

/// A change whose calls find the destination down is tried again as a pause would let it: it may be one.
const DEFERRAL: RetryPolicy = RetryPolicy {
    initial: Duration::from_secs(1),
    ceiling: Duration::from_secs(60),
    max_attempts: u32::MAX,
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
    /// As a retry, but the attempts are used up: a dead letter, unless nothing proves that the destination
    /// works at all.
    Exhausted {
        /// From now, where it is tried once more.
        delay: Duration,
        /// How many attempts are used up with this one.
        attempts: u32,
        /// Why.
        cause: String,
        /// Whether the vendor itself may be down.
        blame: Blame,
    },
    /// The call found the destination down; the queue judges it with those around it. Where the destination works, the
    /// change alone is tried again, at a later time, and no attempt is used.
    Defer {
        /// From now.
        delay: Duration,
        /// How many attempts are used up.
        attempts: u32,
        /// How many calls in a row found it down, with this one.
        deferrals: u32,
        /// Why.
        cause: String,
        /// Whether the destination may have taken the change.
        perhaps_taken: bool,
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
    /// Begun and given up, because the process stops: given back, and no attempt is used. The vendor may have
    /// taken it.
    Abandon,
}

impl Transition {
    /// The [kinds](Self::kind) of what an attempt can be [settled as](Self::settled_as).
    pub const KINDS: [&'static str; 6] = ["done", "retry", "pause", "dead", "release", "abandon"];

    /// The wire word of the settle script, and, [as it was settled](Self::settled_as), the metric label `outcome`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Retry { .. } => "retry",
            Self::Exhausted { .. } => "exhausted",
            Self::Defer { .. } => "defer",
            Self::Pause { .. } => "pause",
            Self::Dead { .. } => "dead",
            Self::Release => "release",
            Self::Abandon => "abandon",
        }
    }

    /// Whether the change may become a dead letter by it.
    pub const fn may_bury(&self) -> bool {
        matches!(
            self,
            Self::Dead { .. } | Self::Exhausted { .. } | Self::Defer { .. }
        )
    }

    /// What the queue made of it; `None`: nothing, the lease was lost.
    pub fn settled_as(&self, verdict: SettleVerdict) -> Option<Cow<'_, Self>> {
        let exhausted = |attempts, cause: &String| Self::Dead {
            class: DeadClass::Exhausted,
            cause: cause.clone(),
            advice: EXHAUSTED_ADVICE.to_owned(),
            attempts,
        };
        Some(Cow::Owned(match (verdict, self) {
            (SettleVerdict::LeaseLost, _) => return None,
            (
                SettleVerdict::Paused,
                Self::Retry { cause, .. }
                | Self::Exhausted { cause, .. }
                | Self::Defer { cause, .. },
            ) => Self::Pause {
                delay: None,
                reason: PauseReason::Outage,
                cause: cause.clone(),
            },
            (
                SettleVerdict::Kept,
                Self::Exhausted {
                    delay,
                    attempts,
                    cause,
                    ..
                }
                | Self::Defer {
                    delay,
                    attempts,
                    cause,
                    ..
                },
            ) => Self::Retry {
                delay: *delay,
                attempts: *attempts,
                cause: cause.clone(),
            },
            (
                _,
                Self::Exhausted {
                    attempts, cause, ..
                },
            ) => exhausted(*attempts, cause),
            (
                _,
                Self::Defer {
                    attempts,
                    deferrals,
                    cause,
                    ..
                },
            ) => exhausted(attempts.saturating_add(*deferrals), cause),
            (_, as_it_was_said) => return Some(Cow::Borrowed(as_it_was_said)),
        }))
    }
}

/// What follows from `outcome` for a change that had used `attempts` before, and whose last `deferrals` calls found the
/// destination down. `interrupted`: a call of its batch was given up under way. `random` is in `[0, 1)`.
pub fn decide(
    outcome: Option<Outcome>,
    interrupted: bool,
    (attempts, deferrals): (u32, u32),
    policy: &RetryPolicy,
    random: f64,
) -> Transition {
    let used = attempts;
    let attempts = attempts.saturating_add(1);
    let defer = |after, cause, perhaps_taken| {
        let deferrals = deferrals.saturating_add(1);
        Transition::Defer {
            delay: DEFERRAL.delay(deferrals, random, after),
            attempts: used,
            deferrals,
            cause,
            perhaps_taken,
        }
    };
    match outcome {
        None if interrupted => Transition::Abandon,
        None => Transition::Release,
        Some(Outcome::Done { detail }) => Transition::Done { detail },
        Some(Outcome::Pause {
            after: None,
            reason: PauseReason::Outage,
            cause,
        }) => defer(None, cause, false),
        Some(Outcome::Retry {
            after,
            cause,
            blame: Blame::Nobody,
        }) => defer(after, cause, true),
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
        Some(Outcome::Retry {
            after,
            cause,
            blame,
        }) => {
            let delay = policy.delay(attempts, random, after);
            if attempts >= policy.max_attempts {
                Transition::Exhausted {
                    delay,
                    attempts,
                    cause,
                    blame,
                }
            } else {
                Transition::Retry {
                    delay,
                    attempts,
                    cause,
                }
            }
        }
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
            blame: Blame::Unknown,
        })
    }

    #[test]
    fn the_last_attempt_that_fails_exhausts_them() {
        assert!(matches!(
            decide(retry(None), false, (1, 0), &policy(), 0.5),
            Transition::Retry { attempts: 2, .. }
        ));
        for used in [2, 3, 17] {
            let last = decide(retry(None), false, (used, 0), &policy(), 0.5);
            let Transition::Exhausted { attempts, .. } = last else {
                panic!("three attempts are allowed, {used} were used: {last:?}");
            };
            assert_eq!(attempts, used + 1);
        }
    }

    #[test]
    fn retry_after_is_the_least_delay() {
        let hour = Duration::from_secs(3600);
        let Transition::Retry { delay, .. } =
            decide(retry(Some(hour)), false, (0, 0), &policy(), 0.0)
        else {
            panic!("a first failure is retried");
        };
        assert!(delay >= hour);
    }

    #[test]
    fn a_vendor_that_keeps_everybody_off_uses_no_attempt_up() {
        for (after, reason) in [
            (None, PauseReason::Throttled),
            (None, PauseReason::Credentials),
            (Some(Duration::from_secs(9)), PauseReason::Outage),
        ] {
            let pause = Some(Outcome::Pause {
                after,
                reason,
                cause: "HTTP 429".to_owned(),
            });
            assert!(matches!(
                decide(pause, false, (2, 0), &policy(), 0.0),
                Transition::Pause { delay, .. } if delay == after
            ));
        }
    }

    #[test]
    fn a_call_that_finds_the_destination_down_uses_no_attempt_up_and_waits_for_longer_each_time() {
        let down = || {
            Some(Outcome::Pause {
                after: None,
                reason: PauseReason::Outage,
                cause: "HTTP 503".to_owned(),
            })
        };
        let lost = || {
            Some(Outcome::Retry {
                after: None,
                cause: "read timeout".to_owned(),
                blame: Blame::Nobody,
            })
        };
        for (outcome, perhaps_taken) in [(down(), false), (lost(), true)] {
            for (before, seconds) in [(0, 1), (1, 2), (5, 32), (6, 60), (u32::MAX, 60)] {
                assert_eq!(
                    decide(outcome.clone(), false, (2, before), &policy(), 1.0),
                    Transition::Defer {
                        delay: Duration::from_secs(seconds),
                        attempts: 2,
                        deferrals: before.saturating_add(1),
                        cause: match perhaps_taken {
                            true => "read timeout".to_owned(),
                            false => "HTTP 503".to_owned(),
                        },
                        perhaps_taken,
                    }
                );
            }
        }
    }

    #[test]
    fn what_was_never_started_is_given_back() {
        assert_eq!(
            decide(None, false, (2, 0), &policy(), 0.0),
            Transition::Release
        );
        assert_eq!(
            decide(None, true, (2, 0), &policy(), 0.0),
            Transition::Abandon
        );
    }

    #[test]
    fn whatever_becomes_of_an_attempt_is_of_a_listed_kind() {
        let ends = [
            decide(None, false, (0, 0), &policy(), 0.0),
            decide(None, true, (0, 0), &policy(), 0.0),
            decide(retry(None), false, (0, 0), &policy(), 0.0),
            decide(retry(None), false, (2, 0), &policy(), 0.0),
            Transition::Defer {
                delay: Duration::ZERO,
                attempts: 0,
                deferrals: 1,
                cause: String::new(),
                perhaps_taken: false,
            },
            Transition::Done {
                detail: String::new(),
            },
            Transition::Dead {
                class: DeadClass::Stale,
                cause: String::new(),
                advice: String::new(),
                attempts: 1,
            },
        ];
        let verdicts = [
            SettleVerdict::Settled,
            SettleVerdict::Paused,
            SettleVerdict::Kept,
        ];
        let kinds: std::collections::BTreeSet<_> = ends
            .iter()
            .flat_map(|end| verdicts.map(|verdict| end.settled_as(verdict).unwrap().kind()))
            .collect();
        assert_eq!(kinds, Transition::KINDS.into_iter().collect());
    }
}
