//! The call rate of a token: so many calls in any 60 seconds.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

const WINDOW: Duration = Duration::from_secs(60);

/// When the calls of the last 60 seconds were let through.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    admitted: VecDeque<Instant>,
}

impl Limiter {
    /// Lets a call through, or says after how long the next one will be. `most` 0 is no limit.
    pub(super) fn admit(&mut self, most: usize, now: Instant) -> Result<(), Duration> {
        if most == 0 {
            return Ok(());
        }
        while self
            .admitted
            .front()
            .is_some_and(|first| now - *first >= WINDOW)
        {
            self.admitted.pop_front();
        }
        // A limit that was lowered leaves more calls in this minute than it lets through.
        match self.admitted.len().checked_sub(most) {
            Some(too_many) => Err(WINDOW - (now - self.admitted[too_many])),
            None => {
                self.admitted.push_back(now);
                Ok(())
            }
        }
    }

    /// Calls left in this minute.
    pub(super) fn left(&self, most: usize) -> usize {
        most.saturating_sub(self.admitted.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_passes_in_any_minute() {
        let mut limiter = Limiter::default();
        let start = Instant::now();
        let mut at = |second| limiter.admit(2, start + Duration::from_secs(second));
        assert_eq!([at(0), at(40)], [Ok(()), Ok(())]);
        assert_eq!(at(40), Err(Duration::from_secs(20)));
        assert_eq!(at(60), Ok(()));
        assert_eq!(at(60), Err(Duration::from_secs(40)));
        assert!((0..9).all(|_| limiter.admit(0, start).is_ok()));
    }

    #[test]
    fn a_lowered_limit_lets_nothing_through_before_enough_calls_are_a_minute_ago() {
        let mut limiter = Limiter::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!((0..4).all(|second| limiter.admit(4, after(second)).is_ok()));
        assert_eq!(limiter.admit(2, after(10)), Err(Duration::from_secs(52)));
        assert_eq!(limiter.admit(2, after(62)), Ok(()));
    }
}
