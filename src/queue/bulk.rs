//! Bulks: what is done with all letters that a filter matches, at a pace, by whichever process is there.
//!
//! A bulk lies in Redis. One process at a time works on it, under a lease and a fencing token; if it dies, another
//! goes on. Each step counts what it did in its own script, and is refused once the bulk has another worker or was
//! cancelled.

mod view;

use std::{collections::BTreeMap, time::Duration};

pub use self::view::{BulkAction, BulkFilter, BulkList, BulkState, BulkView};
use super::{
    Queue, QueueError,
    audit::{Actor, Handling},
    letters::{LetterFilter, LetterRef},
    scripts::or_empty,
};

/// How many bulks stay known.
const KNOWN: usize = 100;

/// What somebody orders.
#[derive(Debug, Clone)]
pub struct BulkOrder {
    /// What is done.
    pub action: BulkAction,
    /// With which letters. Those that die after the start are left alone.
    pub filter: LetterFilter,
    /// Not faster than this, as people write it; absent: as fast as it goes.
    pub rate: Option<String>,
    /// Why, for a discard.
    pub reason: String,
    /// A replay applies even over a newer change.
    pub apply_stale: bool,
    /// A discard does not tell AlumnIQ.
    pub keep_unacknowledged: bool,
    /// Who ordered it.
    pub by: Actor,
}

/// The right to work on a bulk.
#[derive(Debug, Clone)]
pub struct BulkLease {
    /// Which one.
    pub id: String,
    /// What is to be done.
    pub order: BulkOrder,
    /// Behind which letter it goes on.
    pub cursor: Option<LetterRef>,
    token: String,
}

impl BulkLease {
    /// What a step is done under, see [`Handling`].
    pub fn step(&self) -> String {
        format!("{} {}", self.id, self.token)
    }
}

/// A bulk, or when to look again (`None`: not before somebody calls).
#[derive(Debug)]
pub enum BulkClaim {
    /// Work on it.
    Lease(Box<BulkLease>),
    /// Nobody needs a worker.
    Wait(Option<Duration>),
}

/// What a worker says of its bulk.
#[derive(Debug, Clone, Default)]
pub struct BulkNews {
    /// Behind which letter it goes on.
    pub cursor: Option<LetterRef>,
    /// Handled besides what the steps have counted.
    pub handled: u64,
    /// Gone besides what the steps have counted.
    pub gone: u64,
    /// It is over, well or with an error.
    pub ended: Option<Result<(), String>>,
}

/// What a cancellation met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It was under way, and no step follows.
    Now,
    /// It was over already.
    TooLate,
    /// There is none.
    Unknown,
}

impl Queue {
    /// Begins a bulk over `total` letters; `about`: the cause that they have in common. Says so in the
    /// audit. Returns its id.
    pub async fn start_bulk(
        &self,
        order: &BulkOrder,
        total: u64,
        about: &str,
    ) -> Result<String, QueueError> {
        let mut call = self.scripts.bulk_start.prepare_invoke();
        self.push_hand(&mut call, Handling::from(&order.by));
        call.arg(KNOWN).arg(total);
        for (field, value) in order.fields() {
            call.arg(field).arg(value);
        }
        call.arg("about").arg(about);
        self.run(&mut call).await
    }

    /// A bulk that nobody works on, for `lease`; `only`: this one or none.
    pub async fn claim_bulk(
        &self,
        only: Option<&str>,
        worker: &str,
        lease: Duration,
    ) -> Result<BulkClaim, QueueError> {
        let mut call = self.scripts.bulk_claim.prepare_invoke();
        call.arg(worker)
            .arg(lease.as_millis() as u64)
            .arg(only.unwrap_or_default());
        let (wait, claimed): (i64, Vec<String>) = self.run(&mut call).await?;
        let [id, token] = &claimed[..] else {
            let wait = u64::try_from(wait).ok().map(Duration::from_millis);
            return Ok(BulkClaim::Wait(wait));
        };
        let fields = self.bulk_fields(id).await?;
        let order = BulkOrder::read(&fields)
            .ok_or_else(|| QueueError::unreadable(format!("bulk {id}"), "a field is missing"))?;
        Ok(BulkClaim::Lease(Box::new(BulkLease {
            id: id.clone(),
            order,
            cursor: fields.get("cursor").and_then(|at| at.parse().ok()),
            token: token.clone(),
        })))
    }

    /// Keeps a bulk for another `lease`, and writes down how far it is. `false`: it is somebody else's now, or was
    /// cancelled. A lease of nothing gives it back.
    pub async fn keep_bulk(
        &self,
        bulk: &BulkLease,
        lease: Duration,
        news: &BulkNews,
    ) -> Result<bool, QueueError> {
        let (state, error) = match &news.ended {
            None => ("", ""),
            Some(Ok(())) => (BulkState::Done.as_str(), ""),
            Some(Err(error)) => (BulkState::Failed.as_str(), error.as_str()),
        };
        let mut call = self.scripts.bulk_keep.prepare_invoke();
        call.arg(&bulk.id)
            .arg(&bulk.token)
            .arg(lease.as_millis() as u64)
            .arg(or_empty(news.cursor.as_ref()))
            .arg(news.handled)
            .arg(news.gone)
            .arg(state)
            .arg(error);
        let kept: u8 = self.run(&mut call).await?;
        Ok(kept == 1)
    }

    /// Ends a bulk before its next step.
    pub async fn cancel_bulk(&self, id: &str, by: &Actor) -> Result<Cancelled, QueueError> {
        // A script would read a name with a blank as a step's.
        if !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Cancelled::Unknown);
        }
        let mut call = self.scripts.bulk_cancel.prepare_invoke();
        let handling = Handling {
            by,
            bulk: Some(id),
            entry: None,
        };
        self.push_hand(&mut call, handling);
        let met: i8 = self.run(&mut call).await?;
        Ok(match met {
            1 => Cancelled::Now,
            0 => Cancelled::TooLate,
            _ => Cancelled::Unknown,
        })
    }

    /// One bulk, while it is known.
    pub async fn bulk(&self, id: &str) -> Result<Option<BulkView>, QueueError> {
        Ok(BulkView::read(id, &self.bulk_fields(id).await?))
    }

    /// The newest first.
    pub async fn bulks(&self) -> Result<Vec<BulkView>, QueueError> {
        let ids: Vec<String> = redis::cmd("ZREVRANGE")
            .arg(self.keys.of(&["bulks"]))
            .arg(0)
            .arg(KNOWN - 1)
            .query_async(&mut self.connection.clone())
            .await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for id in &ids {
            pipeline.hgetall(self.keys.of(&["bulk", id]));
        }
        let raw: Vec<BTreeMap<String, String>> =
            pipeline.query_async(&mut self.connection.clone()).await?;
        let bulks = ids.iter().zip(&raw);
        Ok(bulks
            .filter_map(|(id, fields)| BulkView::read(id, fields))
            .collect())
    }

    async fn bulk_fields(&self, id: &str) -> Result<BTreeMap<String, String>, QueueError> {
        Ok(redis::cmd("HGETALL")
            .arg(self.keys.of(&["bulk", id]))
            .query_async(&mut self.connection.clone())
            .await?)
    }
}
