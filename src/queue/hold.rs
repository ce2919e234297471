//! How long the holder of leases may act on them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// How much earlier than Redis a holder regards its lease as ended: clocks run at slightly different speeds.
const SAFETY: Duration = Duration::from_millis(500);

/// How long leases are certainly held. Shared by the leases of one call; renewal prolongs it until it is lost.
#[derive(Debug, Clone)]
pub struct Hold(Arc<Held>);

#[derive(Debug)]
struct Held {
    /// `None`: lost.
    until: watch::Sender<Option<Instant>>,
    interrupted: AtomicBool,
}

impl Hold {
    /// Of leases of length `lease` that were asked for at `sent`.
    pub(super) fn since(sent: Instant, lease: Duration) -> Self {
        Self::until(Some(end(sent, lease)))
    }

    fn until(until: Option<Instant>) -> Self {
        Self(Arc::new(Held {
            until: watch::Sender::new(until),
            interrupted: AtomicBool::new(false),
        }))
    }

    /// A hold of its own, for a part of the claim that is renewed and lost by itself.
    pub(super) fn fork(&self) -> Self {
        Self::until(*self.0.until.borrow())
    }

    /// The lease was renewed by a call that was sent at `sent`. What is lost stays lost.
    pub(super) fn prolong(&self, sent: Instant, lease: Duration) {
        self.0.until.send_if_modified(|until| {
            if let Some(until) = until {
                *until = end(sent, lease);
            }
            // Whoever waits for the end looks again when the former one has come.
            false
        });
    }

    /// Somebody else may work on it, or nobody waits for it any more: calls under way end at once.
    pub(super) fn lose(&self) {
        self.0.until.send_replace(None);
    }

    /// Whether a call was given up after it had begun: the vendor may have taken it.
    pub(super) fn was_interrupted(&self) -> bool {
        self.0.interrupted.load(Ordering::Relaxed)
    }

    /// Runs `call` as long as the lease is held: `None` where it ended first or had ended before. This
    /// fences calls that Redis cannot fence: a process that was stopped and continued does not send.
    pub fn guard<F: Future>(&self, call: F) -> impl Future<Output = Option<F::Output>> {
        // A call takes kilobytes, and each layer around it would hold it twice: the job of one change had 150 KiB.
        let call = Box::pin(call);
        async move {
            let mut begun = false;
            let call = async {
                begun = true;
                call.await
            };
            let output = self.while_held(call).await;
            if begun && output.is_none() {
                self.0.interrupted.store(true, Ordering::Relaxed);
            }
            output
        }
    }

    /// The same for what no vendor sees.
    pub async fn while_held<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut until = self.0.until.subscribe();
        let ended = async {
            loop {
                let end = *until.borrow_and_update();
                let Some(end) = end.filter(|end| *end > Instant::now()) else {
                    return;
                };
                tokio::select! {
                    () = tokio::time::sleep_until(end) => {}
                    _ = until.changed() => {}
                }
            }
        };
        tokio::select! {
            biased;
            () = ended => None,
            output = work => Some(output),
        }
    }
}

fn end(sent: Instant, lease: Duration) -> Instant {
    sent + lease.saturating_sub(SAFETY)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_hold_that_is_lost_ends_the_call_under_way_and_no_renewal_brings_it_back() {
        let hold = Hold::since(Instant::now(), LONG);
        let (ended, ()) = tokio::join!(hold.guard(pending::<()>()), async { hold.lose() });
        assert_eq!(ended, None);
        assert!(hold.was_interrupted());
        hold.prolong(Instant::now(), LONG);
        assert_eq!(hold.guard(ready(())).await, None);
    }

    #[tokio::test]
    async fn what_was_held_no_more_before_it_began_was_not_interrupted() {
        let over = Hold::since(Instant::now(), Duration::ZERO);
        assert_eq!(over.guard(ready(())).await, None);
        let waiting = Hold::since(Instant::now(), LONG);
        let (ended, ()) = tokio::join!(waiting.while_held(pending::<()>()), async {
            waiting.lose();
        });
        assert_eq!(ended, None);
        assert!(!over.was_interrupted() && !waiting.was_interrupted());
    }

    #[tokio::test]
    async fn a_part_of_a_claim_is_lost_by_itself() {
        let claim = Hold::since(Instant::now(), LONG);
        let (one, other) = (claim.fork(), claim.fork());
        one.lose();
        assert_eq!(one.guard(ready(1)).await, None);
        assert_eq!(other.guard(ready(1)).await, Some(1));
    }
}
