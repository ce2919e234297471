//! Calls a minute, counted over the whole fleet in Redis.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use queue::{
    Queue,
    calls::{Booking, CallLimit, CallPurpose},
    lease::Hold,
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// How often whoever waits looks again: the limit may have been raised meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Admits calls to one vendor.
pub struct Throttle {
    /// Where calls are booked.
    pub queue: Queue,
    /// What bounds them.
    pub limit: CallLimit,
    /// How long one call may take.
    pub longest_call: Duration,
    /// Items a call, as the fleet knows it; shared with the queue's claims.
    pub batch: Arc<AtomicUsize>,
    /// Whoever waits when this is cancelled gives up.
    pub closing: CancellationToken,
    /// Whose turn it is among this process's waiting work: one asks Redis, the others stand behind.
    turn: Mutex<()>,
}

/// The right to make one call now: [`Throttle::spend`] or [`Throttle::give_back`] it.
#[derive(Debug)]
pub struct CallPermit {
    /// `None`: the vendor has no limit.
    id: Option<String>,
}

impl Throttle {
    /// For calls of `batch` items until the vendor says otherwise.
    pub fn new(
        queue: &Queue,
        limit: CallLimit,
        longest_call: Duration,
        batch: usize,
        closing: &CancellationToken,
    ) -> Self {
        Self {
            queue: queue.clone(),
            limit,
            longest_call,
            batch: Arc::new(AtomicUsize::new(batch)),
            closing: closing.clone(),
            turn: Mutex::default(),
        }
    }

    /// Waits for places for `calls` calls under a lease; a limit that is lower gives fewer, at least one.
    /// `None`: do not call (the lease ended, the vendor is paused, we are closing, or Redis cannot say); what
    /// was not called can be given back.
    pub async fn reserve(&self, hold: &Hold, calls: usize) -> Option<Vec<CallPermit>> {
        self.unless_closing(async {
            hold.while_held(self.places(CallPurpose::Work, calls))
                .await
                .flatten()
        })
        .await
    }

    /// The same for one call about no change, which needs no lease.
    pub async fn reserve_without_lease(&self, purpose: CallPurpose) -> Option<CallPermit> {
        self.unless_closing(self.places(purpose, 1)).await?.pop()
    }

    /// Makes the call that the place is for.
    pub async fn spend<F: Future>(&self, place: CallPermit, call: F) -> F::Output {
        let output = call.await;
        if let Some(id) = place.id {
            // Where Redis does not hear of it the place is only free later.
            let _ = self.queue.call_ended(self.limit.vendor, &id).await;
        }
        output
    }

    /// Gives a place back for which no call was made.
    pub async fn give_back(&self, place: CallPermit) {
        if let Some(id) = place.id {
            let _ = self.queue.call_unused(self.limit.vendor, &id).await;
        }
    }

    /// Items a call; at least 1.
    pub fn batch(&self) -> usize {
        self.batch.load(Ordering::Relaxed).max(1)
    }

    /// What the fleet knows of it now.
    pub fn know_batch(&self, told: Option<usize>) {
        if let Some(batch) = told {
            self.batch.store(batch.max(1), Ordering::Relaxed);
        }
    }

    async fn unless_closing<T>(&self, booked: impl Future<Output = Option<T>>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => None,
            booked = booked => booked,
        }
    }

    async fn places(&self, purpose: CallPurpose, calls: usize) -> Option<Vec<CallPermit>> {
        if self.limit.configured.is_none() && self.limit.published.is_none() {
            return Some((0..calls).map(|_| CallPermit { id: None }).collect());
        }
        let mut ids: Vec<String> = (0..calls)
            .map(|_| format!("{:016x}", rand::random::<u64>()))
            .collect();
        // A question and a person's command do not stand behind the work.
        let _turn = match purpose {
            CallPurpose::Work => Some(self.turn.lock().await),
            CallPurpose::Question | CallPurpose::Hand => None,
        };
        loop {
            let booked = self
                .queue
                .book_calls(&self.limit, purpose, self.longest_call, &ids);
            let (booking, batch) = booked.await.ok()?;
            self.know_batch(batch);
            match booking {
                Booking::Given(places) => {
                    ids.truncate(places);
                    return Some(
                        ids.into_iter()
                            .map(|id| CallPermit { id: Some(id) })
                            .collect(),
                    );
                }
                Booking::Wait(wait) => tokio::time::sleep(wait.min(LOOK_AGAIN)).await,
                Booking::Shut => return None,
            }
        }
    }
}
