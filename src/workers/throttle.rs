//! Calls a minute, counted over the whole fleet in Redis.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jobs::destination::Vendor;
use tokio_util::sync::CancellationToken;

use crate::queue::{Queue, lease::Hold};

/// A minute, and a second for calls that are late on their way: the vendor counts arrivals, we count departures.
const WINDOW: Duration = Duration::from_secs(61);

/// Admits calls to one vendor.
#[derive(Clone)]
pub struct Throttle {
    /// Where calls are booked.
    pub queue: Queue,
    /// Whose limit it is.
    pub vendor: Vendor,
    /// Calls a minute; 0 = no limit. May change at run time.
    pub per_minute: Arc<AtomicU32>,
    /// Whoever waits when this is cancelled gives up.
    pub closing: CancellationToken,
}

impl Throttle {
    /// Waits for a place for one call under a lease. `false`: do not call (the lease ended, we are closing, or
    /// Redis cannot say); what was not called can be given back.
    pub async fn admit(&self, hold: &Hold) -> bool {
        self.unless_closing(async { hold.guard(self.booked()).await.flatten() })
            .await
    }

    /// The same for a call about no change, which needs no lease.
    pub async fn admit_without_lease(&self) -> bool {
        self.unless_closing(self.booked()).await
    }

    async fn unless_closing(&self, booked: impl Future<Output = Option<()>>) -> bool {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => false,
            booked = booked => booked.is_some(),
        }
    }

    /// Completes when the call may go; `None`: Redis cannot say when.
    async fn booked(&self) -> Option<()> {
        let limit = self.per_minute.load(Ordering::Relaxed);
        if limit > 0 {
            let booking = self.queue.book_call(self.vendor, limit, WINDOW).await;
            tokio::time::sleep(booking.ok()?).await;
        }
        Some(())
    }
}
