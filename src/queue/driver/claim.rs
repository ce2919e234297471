//! The claiming loop.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};

use super::{Finished, REDIS_AWAY, Shared, settle::settle};
use crate::queue::{
    backend::Batch,
    lease::{ClaimRequest, Died, Lease, Locked},
};
use crate::trail::CHANGE;

/// How long a partial batch waits for fellows while others work.
const LINGER: Duration = Duration::from_millis(250);

/// How often it is said that the process lacks a key.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Leases what this process has places for, and hands it on in batches.
pub(super) async fn run(shared: Arc<Shared>, batches: mpsc::Sender<Batch>) {
    let _over = shared.claims_over.clone().drop_guard();
    let settings = &shared.settings;
    let places = Arc::new(Semaphore::new(settings.concurrency.max(1)));
    let mut held_back_since: Option<Instant> = None;
    let mut told_locked: Option<Instant> = None;
    loop {
        let first = tokio::select! {
            biased;
            () = shared.stopping.closing.cancelled() => return,
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
                tracing::debug!(destination = %settings.destination, %error, "cannot claim; trying again");
                drop(free);
                wait(&shared, REDIS_AWAY).await;
                continue;
            }
        };
        for Died { change_id, class } in &claimed.died {
            let (destination, worker) = (settings.destination, &settings.worker);
            tracing::warn!(target: CHANGE, change_id, %destination, worker, class, "dead letter");
        }
        if let Some(locked) = &claimed.locked {
            warn_locked(&shared, locked, &mut told_locked);
            if claimed.leases.is_empty() {
                drop(free);
                // Those who have the key take it meanwhile.
                wait(&shared, REDIS_AWAY).await;
                continue;
            }
        }
        if claimed.leases.is_empty() {
            drop(free);
            let pause = if claimed.held_back {
                held_back_since.get_or_insert_with(Instant::now);
                LINGER
            } else {
                held_back_since = None;
                shared.bell.rest(claimed.look_again)
            };
            wait(&shared, pause.max(Duration::from_millis(1))).await;
            continue;
        }
        held_back_since = None;
        let mut leases = claimed.leases.into_iter().peekable();
        while leases.peek().is_some() {
            let batch: Vec<Lease> = leases.by_ref().take(full_batch).collect();
            let Some(place) = free.pop() else { break };
            let hold = claimed.hold.fork();
            shared.take_hold(&batch, &hold);
            let batch = Batch {
                leases: batch.into(),
                hold,
                place: Some(Arc::new(place)),
            };
            if shared.stopping.closing.is_cancelled() {
                give_back(&shared, batch).await;
            } else if let Err(mpsc::error::SendError(unsent)) = batches.send(batch).await {
                // Closed in between: these were never started.
                give_back(&shared, unsent).await;
            }
        }
    }
}

/// Says it once a minute: it is the same for every change.
fn warn_locked(shared: &Shared, locked: &Locked, told: &mut Option<Instant>) {
    if told.is_some_and(|told| told.elapsed() < TELL_AGAIN) {
        return;
    }
    *told = Some(Instant::now());
    let Locked { change_id, key } = locked;
    tracing::error!(
        target: CHANGE,
        change_id,
        destination = %shared.settings.destination,
        key,
        "it is encrypted under a key that this process does not have, and waits: add the key to encryption.old_keys \
         or encryption.key and restart"
    );
}

async fn wait(shared: &Shared, at_most: Duration) {
    tokio::select! {
        () = shared.stopping.closing.cancelled() => {}
        () = shared.bell.wait(at_most, || (shared.beat)()) => {}
    }
}

async fn give_back(shared: &Shared, batch: Batch) {
    settle(shared, vec![Finished::unstarted(batch)]).await;
}
