//! Work that computes for long: beside everything that waits.

use std::{future::pending, panic::resume_unwind};

/// Does this on a thread of its own. A day of the feed can be tens of thousands of rows: reading them where the
/// fetch waits for answers would hold up whatever waits beside it, and the lead would end unrenewed.
pub(super) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Cancelled: the runtime ends, and nobody looks at this any more.
            Err(_) => pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    /// On the test's one thread: what computes here ends only after what stands beside it had its turn.
    #[tokio::test]
    async fn what_waits_goes_on_while_something_computes() {
        let (turn, turned) = mpsc::channel();
        let computing = apart(move || turned.recv_timeout(Duration::from_secs(60)).is_ok());
        let (went_on, sent) = tokio::join!(computing, async { turn.send(()) });
        assert!(went_on && sent.is_ok());
    }

    #[tokio::test]
    #[should_panic(expected = "in the work")]
    async fn a_panic_is_the_callers() {
        apart(|| panic!("in the work")).await
    }
}
