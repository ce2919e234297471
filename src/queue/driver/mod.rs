//! The loops behind a backend: its rounds, and the renewal of leases. They own the connection to Redis and outlive its losses.

mod ended;
mod renew;
mod rounds;

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use jobs::{destination::Destination, retry::RetryPolicy};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::rounds::Rounds;
use super::{
    Queue,
    batch::{Batch, Verdicts},
    executor,
    lease::{Hold, Lease},
    wake::Bell,
};
use crate::stopping::Stopping;

/// The pace of retries while Redis is away.
const REDIS_AWAY: Duration = Duration::from_millis(200);

/// How a destination is worked on.
#[derive(Debug, Clone)]
pub struct DriverSettings {
    /// Which.
    pub destination: Destination,
    /// The name of this process in leases and timelines, without spaces.
    pub worker: String,
    /// Calls in parallel: of this process at the most, and of the fleet at the most.
    pub concurrency: usize,
    /// Changes a call; may change at run time.
    pub batch: Arc<AtomicUsize>,
    /// How long a lease lasts without renewal.
    pub lease: Duration,
    /// When and how often a failed change is tried again.
    pub retry: RetryPolicy,
}

/// What an observer learns of each settled attempt.
#[derive(Debug)]
pub struct Attempted<'a> {
    /// Where.
    pub destination: Destination,
    /// By whom.
    pub worker: &'a str,
    /// Which change, and which calls were made for it.
    pub lease: &'a Lease,
    /// What came of it; `None`: the lease was lost, nothing changed.
    pub transition: Option<&'a executor::Transition>,
    /// When the job began; `None`: it never did.
    pub begun: Option<SystemTime>,
    /// How long it took.
    pub took: Duration,
}

impl Attempted<'_> {
    /// Which attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.lease.attempts + 1
    }
}

/// Called once an attempt, after Redis has it.
pub type AttemptObserver = Arc<dyn Fn(&Attempted<'_>) + Send + Sync>;

/// A batch with its verdicts, on its way to Redis.
pub(super) struct Finished {
    pub batch: Batch,
    pub verdicts: Verdicts,
    pub begun: Option<SystemTime>,
    pub took: Duration,
}

impl Finished {
    fn unstarted(batch: Batch) -> Self {
        Self {
            verdicts: vec![None; batch.leases.len()],
            batch,
            begun: None,
            took: Duration::ZERO,
        }
    }
}

struct Shared {
    queue: Queue,
    settings: DriverSettings,
    bell: Bell,
    observer: AttemptObserver,
    /// Told whenever Redis answered a round or a renewal, and while it is heard: progress is possible.
    beat: Arc<dyn Fn() + Send + Sync>,
    /// Lane -> token and hold of everything leased by this driver.
    held: Mutex<HashMap<String, (u64, Hold)>>,
    /// No new claims; then no calls either.
    stopping: Stopping,
    /// The last claim has been answered and handed on: what is held now is all there will be.
    claims_over: CancellationToken,
}

impl Shared {
    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u64, Hold)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this lease is still this driver's: its lane may have been lost and claimed again since.
    fn holds(&self, lane: &str, token: u64) -> bool {
        self.held()
            .get(lane)
            .is_some_and(|(held, _)| *held == token)
    }

    fn take_hold(&self, leases: &[Lease], hold: &Hold) {
        let entries = leases
            .iter()
            .map(|lease| (lease.lane.clone(), (lease.token, hold.clone())));
        self.held().extend(entries);
    }

    fn let_go(&self, lease: &Lease) {
        if self.holds(&lease.lane, lease.token) {
            self.held().remove(&lease.lane);
        }
    }

    /// Ends the calls under way when there is no more time for them, so that their changes are given back. Only
    /// [`Rounds`] add to what is held, and they give back themselves what they get after `closing`.
    async fn abandon(&self) {
        tokio::select! {
            () = self.stopping.abandon.cancelled() => {
                self.held().values().for_each(|(_, hold)| hold.lose());
            }
            () = self.idle_and_closing() => {}
        }
    }

    /// Completes once claims have stopped and everything held is settled.
    async fn idle_and_closing(&self) {
        self.claims_over.cancelled().await;
        while !self.held().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The running loops.
pub struct Driver {
    batches: mpsc::Receiver<Batch>,
    finished: mpsc::Sender<Finished>,
    shared: Arc<Shared>,
    loops: TaskTracker,
    close: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Driver {
    /// Starts the loops. They claim until `closing`, drop the calls under way at `abandon`, and end when the
    /// backend is closed and Redis has taken everything back.
    pub fn start(
        queue: Queue,
        settings: DriverSettings,
        bell: Bell,
        observer: AttemptObserver,
        beat: Arc<dyn Fn() + Send + Sync>,
        stopping: Stopping,
    ) -> Self {
        let (batch_sender, batches) = mpsc::channel(settings.concurrency.max(1));
        let (finished, finished_receiver) = mpsc::channel(settings.concurrency.max(1) * 2);
        let shared = Arc::new(Shared {
            queue,
            settings,
            bell,
            observer,
            beat,
            held: Mutex::default(),
            stopping,
            claims_over: CancellationToken::new(),
        });
        let loops = TaskTracker::new();
        let rounds = Rounds::new(Arc::clone(&shared), batch_sender, finished_receiver);
        loops.spawn(rounds.run());
        loops.spawn(renew::run(Arc::clone(&shared)));
        loops.spawn({
            let shared = Arc::clone(&shared);
            async move { shared.abandon().await }
        });
        loops.close();
        Self {
            batches,
            finished,
            shared,
            loops,
            close: None,
        }
    }

    pub(super) fn finished(&self) -> mpsc::Sender<Finished> {
        self.finished.clone()
    }

    pub(super) fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Batch>> {
        self.batches.poll_recv(cx)
    }

    /// Gives back what was claimed and not started, then waits until everything is settled.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.close.is_none() {
            self.shared.stopping.closing.cancel();
            self.batches.close();
            let mut unstarted = Vec::new();
            while let Ok(batch) = self.batches.try_recv() {
                unstarted.push(batch);
            }
            let loops = self.loops.clone();
            let finished = self.finished.clone();
            self.close = Some(Box::pin(async move {
                for batch in unstarted {
                    // Rounds go on until all that is held is settled, so somebody still listens.
                    let _ = finished.send(Finished::unstarted(batch)).await;
                }
                loops.wait().await;
            }));
        }
        match &mut self.close {
            Some(close) => close.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let left = self.shared.held().len();
        if left > 0 {
            let DriverSettings {
                destination, lease, ..
            } = &self.shared.settings;
            tracing::warn!(
                %destination,
                changes = left,
                "could not be given back: they return by themselves within {} s (worker.lease)",
                lease.as_secs()
            );
        }
    }
}
