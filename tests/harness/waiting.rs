//! Waiting for conditions, never for time.

use std::time::{Duration, Instant};

/// Longer than anything takes, even on a machine that is busy with every other test.
const PATIENCE: Duration = Duration::from_secs(300);

const LOOK: Duration = Duration::from_millis(50);

/// Looks until there is something to see; fails with `what` was waited for.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        let waited = started.elapsed();
        assert!(waited < PATIENCE, "waited {waited:.0?} in vain: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until `is_so`.
pub async fn until_true(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    until(what, async || is_so().await.then_some(())).await;
}
