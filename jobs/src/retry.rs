//! How long to wait before the next attempt: exponential with full jitter. The only room that uses
//! the `backoff` crate, which computes the ceilings; time and randomness come from the caller.

use std::time::Duration;

use backoff::{ExponentialBackoff, backoff::Backoff};

/// Doubling the shortest duration more often than this exceeds the longest one.
const DOUBLINGS: u32 = 128;

/// How often and how patiently a destination is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most to wait after the first attempt; doubles with every further one.
    pub initial: Duration,
    /// The most to wait after any attempt.
    pub ceiling: Duration,
    /// After so many attempts a change is a dead letter of class `exhausted`.
    pub max_attempts: u32,
}

impl RetryPolicy {
    /// The delay after attempt number `attempt` (the first is 1): the share `random` (0 to 1) of that
    /// attempt's ceiling, but not less than `at_least`, which is what the vendor asked for.
    pub fn delay(&self, attempt: u32, random: f64, at_least: Option<Duration>) -> Duration {
        let most = self.most(attempt);
        let share = if random.is_nan() {
            0.0
        } else {
            random.clamp(0.0, 1.0)
        };
        let jittered = Duration::try_from_secs_f64(most.as_secs_f64() * share).unwrap_or(most);
        jittered.min(most).max(at_least.unwrap_or_default())
    }

    /// The longest time over which all attempts can be spread, the calls themselves not counted.
    pub fn longest(&self) -> Duration {
        (1..self.max_attempts)
            .map(|attempt| self.most(attempt))
            .fold(Duration::ZERO, Duration::saturating_add)
    }

    /// The most to wait after attempt number `attempt`, before jitter.
    fn most(&self, attempt: u32) -> Duration {
        let mut backoff = ExponentialBackoff {
            current_interval: self.initial,
            initial_interval: self.initial,
            max_interval: self.ceiling,
            multiplier: 2.0,
            randomization_factor: 0.0,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        for _ in 1..attempt.min(DOUBLINGS) {
            backoff.next_backoff();
        }
        backoff.current_interval.min(self.ceiling)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(initial: Duration, ceiling: Duration) -> RetryPolicy {
        RetryPolicy {
            initial,
            ceiling,
            max_attempts: 5,
        }
    }

    fn duration() -> impl Strategy<Value = Duration> {
        prop_oneof![
            (0..100_000_u64).prop_map(Duration::from_millis),
            any::<(u64, u32)>()
                .prop_map(|(secs, nanos)| Duration::new(secs, nanos % 1_000_000_000)),
            Just(Duration::ZERO),
            Just(Duration::MAX),
        ]
    }

    #[test]
    fn ceilings_double_up_to_the_highest() {
        let policy = policy(Duration::from_secs(2), Duration::from_secs(15));
        let delays = [1, 2, 3, 4, 5, 100, u32::MAX]
            .map(|attempt| policy.delay(attempt, 1.0, None).as_secs());
        assert_eq!(delays, [2, 4, 8, 15, 15, 15, 15]);
    }

    #[test]
    fn all_retries_together_take_the_sum_of_the_ceilings() {
        let policy = policy(Duration::from_secs(2), Duration::from_secs(10));
        assert_eq!(policy.longest(), Duration::from_secs(2 + 4 + 8 + 10));
    }

    #[test]
    fn the_jitter_is_full() {
        let policy = policy(Duration::from_secs(2), Duration::from_secs(60));
        assert_eq!(policy.delay(3, 0.0, None), Duration::ZERO);
        assert_eq!(policy.delay(3, 0.5, None), Duration::from_secs(4));
    }

    #[test]
    fn retry_after_is_obeyed_even_beyond_the_ceiling() {
        let policy = policy(Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!(
            policy.delay(1, 0.3, Some(Duration::from_secs(90))),
            Duration::from_secs(90)
        );
    }

    proptest! {
        #[test]
        fn delays_stay_in_bounds_and_ceilings_never_shrink(
            initial in duration(), ceiling in duration(), attempt in any::<u32>(), random in any::<f64>(),
            at_least in prop::option::of(duration()),
        ) {
            let policy = policy(initial, ceiling);
            let delay = policy.delay(attempt, random, at_least);
            prop_assert!(delay >= at_least.unwrap_or_default());
            prop_assert!(delay <= ceiling.max(at_least.unwrap_or_default()));
            prop_assert!(policy.most(attempt) <= policy.most(attempt.saturating_add(1)));
        }
    }
}
