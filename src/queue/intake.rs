//! Fetched blocks in: each change once, whoever fetches it how often.

use jobs::outcome::DeadClass;
use redis::{FromRedisValue, Value};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Queue, QueueError, admission::Mismatch, keys, leader::Lead, scripts::or_empty};

/// How many rows one call of the script takes: Redis is busy with them for about five milliseconds.
const ROWS_A_CALL: usize = 200;

/// And how many bytes of rows, give or take one row.
const BYTES_A_CALL: usize = 1 << 20;

/// A row on its way in.
#[derive(Debug)]
pub struct NewChange {
    /// AlumnIQ's changeId; for a row without one, a name derived from its content.
    pub change_id: String,
    /// The constituent.
    pub xid: Option<String>,
    /// Its place among the constituent's changes.
    pub order: String,
    /// The row as it came.
    pub row: Box<RawValue>,
    /// Set for a row that cannot even be queued: it is dead on arrival.
    pub letter: Option<NewLetter>,
    /// The name under which this row was dead on arrival before, when it is replayed.
    pub replaces: Option<String>,
    /// What it is held against when AlumnIQ lists the change again; `None`: nothing, as an operator edited it.
    pub listed: Option<Listed>,
}

/// A row as AlumnIQ listed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Of [`jobs::change::content`]. Guessable, so it never leaves the process as it is: Redis gets a keyed digest of it.
    pub content: [u8; 32],
    /// Its place in the answer, from 1; 0 where there was none.
    pub row: u64,
}

/// The reason of a death on arrival.
#[derive(Debug, Clone, Serialize)]
pub struct NewLetter {
    /// The class.
    pub class: DeadClass,
    /// Why.
    pub cause: String,
    /// What to do.
    pub advice: String,
    attempts: u32,
    /// Whether AlumnIQ gave the row an id, so that it can be told about it.
    #[serde(skip)]
    pub has_id: bool,
}

impl NewLetter {
    /// A letter for a row that was never attempted and stands in no lane.
    pub fn new(class: DeadClass, cause: String, advice: String, has_id: bool) -> Self {
        Self {
            class,
            cause,
            advice,
            attempts: 0,
            has_id,
        }
    }
}

/// What became of a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Enqueued {
    /// New to the queue.
    pub enqueued: u64,
    /// Known already, or twice in the block.
    pub duplicates: u64,
    /// Acknowledged before, and still listed by AlumnIQ: will be acknowledged again.
    pub listed_again: u64,
    /// Those of them that were acknowledged at least twice.
    pub still_listed: u64,
    /// Known with another content: AlumnIQ corrected the row.
    pub corrected: u64,
}

impl Enqueued {
    /// One more.
    pub fn add(&mut self, taken: Taken) {
        let count = match taken {
            Taken::New => &mut self.enqueued,
            Taken::Known => &mut self.duplicates,
            Taken::ListedAgain => &mut self.listed_again,
            Taken::StillListed => {
                self.still_listed += 1;
                &mut self.listed_again
            }
            Taken::Corrected => &mut self.corrected,
        };
        *count += 1;
    }
}

/// What became of one change of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// New to the queue.
    New,
    /// Known already.
    Known,
    /// Acknowledged before, and still listed: acknowledged again.
    ListedAgain,
    /// The same after at least two acknowledgements: AlumnIQ accepts them and does not act on them.
    StillListed,
    /// Known with another content: the corrected row is applied before it is acknowledged.
    Corrected,
}

impl Queue {
    /// Milliseconds by Redis' clock: the only clock that the fleet shares.
    pub async fn now(&self) -> Result<u64, QueueError> {
        let (seconds, micros): (u64, u64) = redis::cmd("TIME")
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// Takes a block in, whoever leads. `fetched_at` is [`Queue::now`] from before the GET. Repeating a call,
    /// whole or in part, changes nothing: a lost answer is answered by calling again.
    pub async fn enqueue(
        &self,
        fetched_at: u64,
        changes: &[NewChange],
    ) -> Result<Enqueued, QueueError> {
        self.enqueue_under(None, fetched_at, changes).await
    }

    /// The same, for a fetch under `lead`: [`QueueError::Deposed`] once another has led, [`QueueError::Mismatch`] where
    /// the namespace was changed since this process was admitted. What was taken in before that stays.
    pub async fn enqueue_under(
        &self,
        lead: Option<Lead>,
        fetched_at: u64,
        changes: &[NewChange],
    ) -> Result<Enqueued, QueueError> {
        self.enqueue_each(lead, fetched_at, changes, |_, _| ())
            .await
    }

    /// The same; `told` hears what became of each change as soon as Redis has it. A call that is repeated because its
    /// answer was lost tells `Known` of what was new.
    pub async fn enqueue_each(
        &self,
        lead: Option<Lead>,
        fetched_at: u64,
        changes: &[NewChange],
        mut told: impl FnMut(&NewChange, Taken),
    ) -> Result<Enqueued, QueueError> {
        let keep = self.settings.keep.as_millis() as u64;
        let mut total = Enqueued::default();
        let (mut told_of, mut changes) = (changes.iter(), changes.iter().peekable());
        while changes.peek().is_some() {
            let mut call = self.scripts.enqueue.prepare_invoke();
            call.arg(format!("{fetched_at:013}"))
                .arg(self.settings.mask())
                .arg(keep)
                .arg(or_empty(lead))
                .arg(or_empty(self.settings.seals.current()))
                .arg(self.settings.seals.listed());
            let (mut rows, mut bytes) = (0, 0);
            while rows < ROWS_A_CALL
                && bytes < BYTES_A_CALL
                && let Some(change) = changes.next()
            {
                rows += 1;
                bytes += change.row.get().len();
                let lane = match &change.letter {
                    Some(letter) if !letter.has_id => String::new(),
                    _ => keys::lane(change.xid.as_deref(), &change.change_id),
                };
                let member = format!("{} {}", change.order, change.change_id);
                let xid = change.xid.as_deref();
                let listed = change
                    .listed
                    .map(|listed| self.listed(&change.change_id, fetched_at, &listed));
                let record =
                    self.written(&change.change_id, xid, &change.row, listed.as_deref())?;
                call.arg(&change.change_id)
                    .arg(lane)
                    .arg(member)
                    .arg(record)
                    .arg(
                        change
                            .letter
                            .as_ref()
                            .map(json)
                            .transpose()?
                            .unwrap_or_default(),
                    )
                    .arg(change.replaces.as_deref().unwrap_or_default());
            }
            let verdicts = self.verdicts(self.run(&mut call).await?)?;
            for (verdict, change) in verdicts.chars().zip(told_of.by_ref()) {
                let taken = match verdict {
                    'n' => Taken::New,
                    'r' => Taken::ListedAgain,
                    'R' => Taken::StillListed,
                    'c' => Taken::Corrected,
                    _ => Taken::Known,
                };
                total.add(taken);
                told(change, taken);
            }
        }
        Ok(total)
    }

    /// A letter for each row.
    fn verdicts(&self, answer: Value) -> Result<String, QueueError> {
        if matches!(answer, Value::Nil) {
            return Err(QueueError::Deposed);
        }
        if matches!(answer, Value::Array(_)) {
            let answer = Vec::from_redis_value(answer).map_err(redis::RedisError::from)?;
            return Err(Mismatch::read(answer, &self.settings)
                .map_or(QueueError::Deposed, QueueError::Mismatch));
        }
        Ok(String::from_redis_value(answer).map_err(redis::RedisError::from)?)
    }
}

fn json(value: &impl Serialize) -> Result<String, QueueError> {
    serde_json::to_string(value).map_err(|error| QueueError::unreadable("a new change", error))
}
