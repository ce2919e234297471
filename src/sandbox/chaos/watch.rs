//! What the queue says of itself while it is disturbed, looked at again and again.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use queue::{Queue, QueueError, letters::LetterFilter, stats::Status};
use tokio::task::JoinHandle;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(250);

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    /// How often the queue could be looked at.
    pub looks: u64,
    /// How often its books did not add up.
    pub unbalanced: u64,
    /// Settles that were refused, also before Redis was emptied.
    pub refused_settles: u64,
    /// The most dead letters at one time, in changes.
    pub most_dead: i64,
    /// How often a vendor was found paused that was not at the look before.
    pub pauses: u64,
    refused_before: u64,
    last_refused: u64,
    paused: Vec<jobs::destination::Vendor>,
}

impl Observations {
    fn look(&mut self, status: &Status) {
        self.looks += 1;
        self.unbalanced += u64::from(status.books.difference != 0);
        self.most_dead = self.most_dead.max(status.books.dead);
        // An emptied Redis counts from nothing again.
        if status.refused_settles < self.last_refused {
            self.refused_before += self.last_refused;
        }
        self.last_refused = status.refused_settles;
        self.refused_settles = self.refused_before + self.last_refused;
        let paused: Vec<_> = status.pauses.keys().copied().collect();
        let new = paused.iter().filter(|vendor| !self.paused.contains(vendor));
        self.pauses += new.count() as u64;
        self.paused = paused;
    }
}

/// Looks until it is dropped.
pub struct QueueObserver {
    queue: Queue,
    seen: Arc<Mutex<Observations>>,
    looking: JoinHandle<()>,
}

impl QueueObserver {
    /// Begins.
    pub fn start(queue: &Queue) -> Self {
        let (looker, queue) = (queue.clone(), queue.clone());
        let seen = Arc::<Mutex<Observations>>::default();
        let looking = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                loop {
                    look(&looker, &seen).await;
                    tokio::time::sleep(LOOK).await;
                }
            }
        });
        Self {
            queue,
            seen,
            looking,
        }
    }

    /// What it looks at.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Looks now; `None` where Redis does not answer.
    pub async fn look(&self) -> Option<Status> {
        look(&self.queue, &self.seen).await
    }

    /// Everything so far.
    pub fn seen(&self) -> Observations {
        lock(&self.seen).clone()
    }
}

impl Drop for QueueObserver {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

async fn look(queue: &Queue, seen: &Mutex<Observations>) -> Option<Status> {
    let status = queue.status().await.ok()?;
    lock(seen).look(&status);
    Some(status)
}

fn lock(seen: &Mutex<Observations>) -> MutexGuard<'_, Observations> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every change with a dead letter.
///
/// # Errors
///
/// Redis does not answer.
pub async fn dead_changes(queue: &Queue) -> Result<Vec<String>, QueueError> {
    let letters = queue.every_letter(&LetterFilter::default()).await?;
    let ids: BTreeSet<String> = letters.into_iter().map(|(_, id)| id).collect();
    Ok(ids.into_iter().collect())
}
