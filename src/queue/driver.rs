//! The loops behind a backend: claim, renew, settle. They own the connection to Redis and outlive its losses.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use jobs::{destination::Destination, retry::RetryPolicy};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Queue,
    backend::{Batch, Verdicts},
    executor,
    lease::{ClaimRequest, Hold, Lease, Settlement},
    wake::LOOK_AGAIN,
};

/// How many settlements one call of the script takes.
const SETTLEMENTS_A_CALL: usize = 256;

/// How long a partial batch waits for fellows while others work.
const LINGER: Duration = Duration::from_millis(250);

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
    /// Which change.
    pub change_id: &'a str,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// What came of it; `None`: the lease was lost, nothing changed.
    pub transition: Option<&'a executor::Transition>,
    /// How long it took.
    pub took: Duration,
}

/// Called once an attempt, after Redis has it.
pub type AttemptObserver = Arc<dyn Fn(&Attempted<'_>) + Send + Sync>;

/// A place among the calls in parallel; free again when dropped.
pub(super) type Place = OwnedSemaphorePermit;

/// A batch with its verdicts, on its way to Redis.
pub(super) struct Finished {
    pub batch: Batch,
    pub verdicts: Verdicts,
    pub took: Duration,
}

impl Finished {
    fn unstarted(batch: Batch) -> Self {
        Self {
            verdicts: vec![None; batch.leases.len()],
            batch,
            took: Duration::ZERO,
        }
    }
}

struct Shared {
    queue: Queue,
    settings: DriverSettings,
    bell: Arc<Notify>,
    observer: AttemptObserver,
    /// Told whenever Redis answered a claim or a renewal: progress is possible.
    beat: Arc<dyn Fn() + Send + Sync>,
    /// Lane -> token and hold of everything leased by this driver.
    held: Mutex<HashMap<String, (u64, Hold)>>,
    /// No new claims.
    closing: CancellationToken,
    /// The last claim has been answered and handed on: what is held now is all there will be.
    claims_over: CancellationToken,
}

impl Shared {
    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u64, Hold)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Starts the loops. They stop claiming when `closing` is cancelled, and end when the backend is closed.
    pub fn start(
        queue: Queue,
        settings: DriverSettings,
        bell: Arc<Notify>,
        observer: AttemptObserver,
        beat: Arc<dyn Fn() + Send + Sync>,
        closing: CancellationToken,
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
            closing,
            claims_over: CancellationToken::new(),
        });
        let loops = TaskTracker::new();
        loops.spawn(claim_loop(Arc::clone(&shared), batch_sender));
        loops.spawn(settle_loop(Arc::clone(&shared), finished_receiver));
        loops.spawn(renew_loop(Arc::clone(&shared)));
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
            self.shared.closing.cancel();
            self.batches.close();
            let mut unstarted = Vec::new();
            while let Ok(batch) = self.batches.try_recv() {
                unstarted.push(batch);
            }
            let loops = self.loops.clone();
            let finished = self.finished.clone();
            self.close = Some(Box::pin(async move {
                for batch in unstarted {
                    // The settling loop waits for all that is held, so it still listens.
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

async fn claim_loop(shared: Arc<Shared>, batches: mpsc::Sender<Batch>) {
    let _over = shared.claims_over.clone().drop_guard();
    let settings = &shared.settings;
    let places = Arc::new(Semaphore::new(settings.concurrency.max(1)));
    let mut held_back_since: Option<Instant> = None;
    loop {
        let first = tokio::select! {
            biased;
            () = shared.closing.cancelled() => return,
            place = Arc::clone(&places).acquire_owned() => match place {
                Ok(place) => place,
                Err(_) => return,
            },
        };
        let mut free = vec![first];
        while let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            free.push(place);
        }
        let full_batch = settings.batch.load(Ordering::Relaxed).max(1);
        let request = ClaimRequest {
            destination: settings.destination,
            worker: &settings.worker,
            most: free.len() * full_batch,
            lease: settings.lease,
            fleet_limit: settings.concurrency.max(1) * full_batch,
            full_batch,
            linger_over: held_back_since.is_some_and(|since| since.elapsed() >= LINGER),
        };
        let claimed = match shared.queue.claim(&request).await {
            Ok(claimed) => {
                (shared.beat)();
                claimed
            }
            Err(error) => {
                tracing::warn!(destination = %settings.destination, %error, "cannot claim; trying again");
                drop(free);
                wait(&shared, REDIS_AWAY).await;
                continue;
            }
        };
        if claimed.leases.is_empty() {
            drop(free);
            let pause = if claimed.held_back {
                held_back_since.get_or_insert_with(Instant::now);
                LINGER
            } else {
                held_back_since = None;
                claimed
                    .look_again
                    .map_or(LOOK_AGAIN, |wait| wait.min(LOOK_AGAIN))
            };
            wait(&shared, pause.max(Duration::from_millis(1))).await;
            continue;
        }
        held_back_since = None;
        let mut leases = claimed.leases.into_iter().peekable();
        while leases.peek().is_some() {
            let batch: Vec<Lease> = leases.by_ref().take(full_batch).collect();
            let Some(place) = free.pop() else { break };
            for lease in &batch {
                let entry = (lease.token, claimed.hold.clone());
                shared.held().insert(lease.lane.clone(), entry);
            }
            let batch = Batch {
                leases: batch.into(),
                hold: claimed.hold.clone(),
                _place: Arc::new(place),
            };
            if shared.closing.is_cancelled() {
                give_back(&shared, batch).await;
            } else if let Err(mpsc::error::SendError(unsent)) = batches.send(batch).await {
                // Closed in between: these were never started.
                give_back(&shared, unsent).await;
            }
        }
    }
}

async fn wait(shared: &Shared, at_most: Duration) {
    tokio::select! {
        () = shared.closing.cancelled() => {}
        () = shared.bell.notified() => {}
        () = tokio::time::sleep(at_most) => {}
    }
}

async fn give_back(shared: &Shared, batch: Batch) {
    settle(shared, vec![Finished::unstarted(batch)]).await;
}

async fn settle_loop(shared: Arc<Shared>, mut finished: mpsc::Receiver<Finished>) {
    let mut gathered = Vec::new();
    while gather(&shared, &mut finished, &mut gathered).await {
        settle(&shared, std::mem::take(&mut gathered)).await;
        shared.bell.notify_one();
    }
}

/// Takes what has finished by now; `false` once nothing can come any more.
async fn gather(
    shared: &Shared,
    finished: &mut mpsc::Receiver<Finished>,
    gathered: &mut Vec<Finished>,
) -> bool {
    let count = tokio::select! {
        count = finished.recv_many(gathered, SETTLEMENTS_A_CALL) => count,
        () = idle_and_closing(shared) => 0,
    };
    count > 0
}

/// Completes once claims have stopped and everything held is settled.
async fn idle_and_closing(shared: &Shared) {
    shared.claims_over.cancelled().await;
    while !shared.held().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Settles until Redis has it, or says that the leases are lost.
async fn settle(shared: &Shared, finished: Vec<Finished>) {
    let mut items = Vec::new();
    for Finished {
        batch,
        verdicts,
        took,
    } in &finished
    {
        let call = batch.leases.first().map_or(0, |lease| lease.token);
        for (lease, verdict) in batch.leases.iter().zip(verdicts) {
            let transition = executor::decide(
                verdict.clone(),
                lease.attempts,
                &shared.settings.retry,
                rand::random(),
            );
            items.push((
                lease,
                Settlement {
                    lane: lease.lane.clone(),
                    token: lease.token,
                    call,
                    transition,
                    took: *took,
                },
            ));
        }
    }
    for chunk in items.chunks(SETTLEMENTS_A_CALL) {
        let settlements: Vec<Settlement> = chunk.iter().map(|(_, item)| item.clone()).collect();
        let settled = loop {
            let settings = &shared.settings;
            match shared
                .queue
                .settle(settings.destination, &settings.worker, &settlements)
                .await
            {
                Ok(settled) => break settled,
                Err(error) => {
                    tracing::warn!(destination = %settings.destination, %error, "cannot settle; trying again");
                    tokio::time::sleep(REDIS_AWAY).await;
                }
            }
        };
        for ((lease, item), settled) in chunk.iter().zip(settled) {
            shared.held().remove(&lease.lane);
            (shared.observer)(&Attempted {
                destination: shared.settings.destination,
                change_id: &lease.change_id,
                attempt: lease.attempts + 1,
                transition: settled.then_some(&item.transition),
                took: item.took,
            });
        }
    }
}

async fn renew_loop(shared: Arc<Shared>) {
    let every = shared.settings.lease / 3;
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = idle_and_closing(&shared) => return,
        }
        let held: Vec<(String, u64, Hold)> = shared
            .held()
            .iter()
            .map(|(lane, (token, hold))| (lane.clone(), *token, hold.clone()))
            .collect();
        if held.is_empty() {
            continue;
        }
        let names: Vec<(String, u64)> = held
            .iter()
            .map(|(lane, token, _)| (lane.clone(), *token))
            .collect();
        let sent = Instant::now();
        let lease = shared.settings.lease;
        match shared
            .queue
            .renew(shared.settings.destination, lease, &names)
            .await
        {
            Ok(still_held) => {
                (shared.beat)();
                for ((_, _, hold), still_held) in held.iter().zip(&still_held) {
                    if *still_held {
                        hold.prolong(sent, lease);
                    }
                }
                // A batch shares its hold: one lost lease stops the whole call.
                for ((lane, token, hold), _) in
                    held.iter().zip(&still_held).filter(|(_, held)| !**held)
                {
                    // Settled in the meantime is not lost.
                    if shared
                        .held()
                        .get(lane)
                        .is_some_and(|(held, _)| held == token)
                    {
                        hold.lose();
                    }
                }
            }
            Err(error) => {
                tracing::warn!(destination = %shared.settings.destination, %error, "cannot renew leases");
            }
        }
    }
}
