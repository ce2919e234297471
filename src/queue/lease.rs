//! Claiming changes, keeping them, and settling what came of them.

use std::{sync::Arc, time::Duration};

use jobs::{
    destination::Destination,
    outcome::{Blame, DeadClass, PauseReason},
};
use serde_json::{json, value::RawValue};
use tokio::time::Instant;

pub use super::hold::Hold;
use super::{
    Queue, QueueError,
    executor::{EXHAUSTED_ADVICE, Transition},
    gate::Turn,
    scripts::or_empty,
    sent::Sent,
};
use crate::trail::Trail;

/// How many calls in a row must fail, with as many different changes, before the vendor is held to be down.
const FAILURES_THAT_SHUT_THE_GATE: u32 = 8;

/// After how many lost leases a change is held to kill its workers.
const CRASH_LIMIT: u32 = 5;

/// What the timeline says of a call that was given up.
const ABANDONED: &str =
    "the call was given up while it was under way: it may have been applied, and comes again";

/// The right to work on one change at one destination.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Which change.
    pub change_id: String,
    /// Its lane.
    pub lane: String,
    /// The fencing token: a settle with another one is refused.
    pub token: u64,
    /// Attempts used up before this one.
    pub attempts: u32,
    /// When the change was fetched first, ms by Redis' clock. With its id it names the change's trace.
    pub fetched_at: u64,
    /// The row, or why it cannot be read (a record that another version wrote).
    pub row: Result<Arc<RawValue>, String>,
    /// The calls that are made for it.
    pub trail: Trail,
    /// The document that is sent for it.
    pub sent: Sent,
}

/// What to claim.
#[derive(Debug, Clone)]
pub struct ClaimRequest<'a> {
    /// For which destination.
    pub destination: Destination,
    /// By whom.
    pub worker: &'a str,
    /// How many changes at the most.
    pub most: usize,
    /// For how long.
    pub lease: Duration,
    /// How many changes the whole fleet may lease at once.
    pub fleet_limit: usize,
    /// How many changes make a full call; 1 where a call carries one.
    pub full_batch: usize,
    /// Take a partial batch although others work.
    pub linger_over: bool,
}

/// What was claimed.
#[derive(Debug)]
pub struct Claimed {
    /// The leases, each of another lane.
    pub leases: Vec<Lease>,
    /// How long they are held at first.
    pub hold: Hold,
    /// When something may change by itself; `None`: not before somebody calls.
    pub look_again: Option<Duration>,
    /// A partial batch waits for its fellows.
    pub held_back: bool,
    /// What was found to be a dead letter instead.
    pub died: Vec<Died>,
    /// A change that waits because its payload is sealed under a key that this process lacks. There may be more:
    /// nothing was looked at behind it.
    pub locked: Option<Locked>,
}

/// A change that waits for a process with its key.
#[derive(Debug)]
pub struct Locked {
    /// Which.
    pub change_id: String,
    /// The key that it is sealed under.
    pub key: String,
}

/// Why an older change than the one that was applied is not applied.
pub const STALE_CAUSE: &str = "a newer change of this person was applied here, or may have been";

/// What to do about it.
pub const STALE_ADVICE: &str =
    "Discard it, or apply it on purpose with `dead replay --apply-stale`.";

/// A change that became a dead letter when its turn came: it is stale, or kept killing its workers.
#[derive(Debug)]
pub struct Died {
    /// Which.
    pub change_id: String,
    /// Why.
    pub class: String,
}

/// Wait, held back, leases, the dead: id, class; and what is locked: id, key.
type RawClaim = (
    i64,
    String,
    Vec<(String, String, u64, u32, String)>,
    Vec<(String, String)>,
    Vec<(String, String)>,
);

impl Queue {
    /// Leases changes, oldest first in their lanes, lanes in turn. Also takes back what dead workers held
    /// and what is due again.
    pub async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed, QueueError> {
        let hold = Hold::since(Instant::now(), request.lease);
        let stale = json!({
            "class": DeadClass::Stale,
            "cause": STALE_CAUSE,
            "advice": STALE_ADVICE,
        });
        let crashed = json!({
            "class": DeadClass::Crashed,
            "cause": "the process that worked on it was lost %d times",
            "advice": "Look at the workers' logs and at the row, then replay.",
        });
        let mut call = self.scripts.claim.prepare_invoke();
        call.arg(request.destination.as_str())
            .arg(request.destination.bit())
            .arg(request.worker)
            .arg(request.most)
            .arg(request.lease.as_millis() as u64)
            .arg(request.fleet_limit)
            .arg(request.full_batch)
            .arg(u8::from(request.linger_over))
            .arg(CRASH_LIMIT)
            .arg(stale.to_string())
            .arg(crashed.to_string())
            .arg(self.settings.seals.listed());
        let (wait, held_back, raw, died, locked): RawClaim = self.run(&mut call).await?;
        let leases = raw
            .into_iter()
            .map(|(lane, member, token, attempts, stored)| {
                let change_id = member.split_once(' ').map_or("", |(_, id)| id).to_owned();
                let parsed = self.read(&change_id, &stored);
                let fetched_at = parsed.as_ref().map_or(0, |(fetched, _)| *fetched);
                let row = parsed
                    .map(|(_, record)| Arc::from(record.row))
                    .map_err(|error| error.to_string());
                Lease {
                    change_id,
                    lane,
                    token,
                    attempts,
                    fetched_at,
                    row,
                    trail: Trail::default(),
                    sent: Sent::default(),
                }
            })
            .collect();
        Ok(Claimed {
            leases,
            hold,
            look_again: u64::try_from(wait).ok().map(Duration::from_millis),
            held_back: held_back == "1",
            died: died
                .into_iter()
                .map(|(change_id, class)| Died { change_id, class })
                .collect(),
            locked: locked
                .into_iter()
                .map(|(change_id, key)| Locked { change_id, key })
                .next(),
        })
    }

    /// Prolongs leases; answers in order whether each is still held.
    pub async fn renew(
        &self,
        destination: Destination,
        lease: Duration,
        held: &[(String, u64)],
    ) -> Result<Vec<bool>, QueueError> {
        let mut call = self.scripts.renew.prepare_invoke();
        call.arg(destination.as_str()).arg(lease.as_millis() as u64);
        for (lane, token) in held {
            call.arg(lane).arg(token);
        }
        let verdicts: String = self.run(&mut call).await?;
        Ok(verdicts.chars().map(|verdict| verdict == '1').collect())
    }

    /// Ends leases. Answers in order what became of each. After an error it may be called again with the same
    /// items.
    pub async fn settle(
        &self,
        destination: Destination,
        worker: &str,
        items: &[Settlement],
    ) -> Result<Vec<SettleVerdict>, QueueError> {
        let mut call = self.scripts.settle.prepare_invoke();
        call.arg(destination.as_str())
            .arg(destination.bit())
            .arg(worker)
            .arg(FAILURES_THAT_SHUT_THE_GATE)
            .arg(self.settings.patience.as_millis() as u64)
            .arg(self.settings.keep.as_millis() as u64)
            .arg(self.settings.keep_payload.as_millis() as u64);
        for item in items {
            item.push_arguments(&mut call);
        }
        let (verdicts, turn): (String, String) = self.run(&mut call).await?;
        let verdict = |letter| match letter {
            's' => SettleVerdict::Settled,
            'p' => SettleVerdict::Paused,
            'k' => SettleVerdict::Kept,
            _ => SettleVerdict::LeaseLost,
        };
        let verdicts: Vec<_> = verdicts.chars().map(verdict).collect();
        if let Some(turn) = Turn::read(&turn) {
            let ended = items.iter().zip(&verdicts);
            let (reason, cause) = ended
                .filter_map(|(item, verdict)| item.pauses(*verdict))
                .next()
                .unwrap_or((PauseReason::Outage, ""));
            turn.log(destination.into(), reason.as_str(), cause);
        }
        Ok(verdicts)
    }
}

/// What became of a [`Settlement`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleVerdict {
    /// Recorded as it was said.
    Settled,
    /// The failure turned out to be the vendor's: a pause, and no attempt is used up.
    Paused,
    /// It was the last attempt, but nothing proves that the vendor works: kept for another.
    Kept,
    /// The lease was lost: nothing changed.
    LeaseLost,
}

/// The end of one lease.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The lease's lane.
    pub lane: String,
    /// Its token.
    pub token: u64,
    /// Which call to the vendor it was part of: the token of the batch's first lease. A call of twenty
    /// changes that fails is one sign of trouble, not twenty.
    pub call: u64,
    /// What came of it.
    pub transition: Transition,
    /// How long the attempt took.
    pub took: Duration,
    /// The document that was sent, see [`Queue::stored_document`]: kept where the change dies.
    pub sent: Option<String>,
}

impl Settlement {
    /// Why the destination is paused, where this says so.
    fn pauses(&self, verdict: SettleVerdict) -> Option<(PauseReason, &str)> {
        match (&self.transition, verdict) {
            (_, SettleVerdict::LeaseLost) => None,
            (Transition::Pause { reason, cause, .. }, _) => Some((*reason, cause)),
            (
                Transition::Retry { cause, .. } | Transition::Exhausted { cause, .. },
                SettleVerdict::Paused,
            ) => Some((PauseReason::Outage, cause)),
            _ => None,
        }
    }

    fn push_arguments(&self, call: &mut redis::ScriptInvocation<'_>) {
        let (mut detail, mut delay, mut attempts, mut word, mut advice) = ("", None, None, "", "");
        match &self.transition {
            Transition::Done { detail: said } => detail = said,
            Transition::Retry {
                delay: after,
                attempts: used,
                cause,
            } => {
                (detail, delay, attempts) = (cause, Some(*after), Some(*used));
            }
            Transition::Exhausted {
                delay: after,
                attempts: used,
                cause,
                blame,
            } => {
                (detail, delay, attempts) = (cause, Some(*after), Some(*used));
                advice = EXHAUSTED_ADVICE;
                word = match blame {
                    Blame::Change => "own",
                    Blame::Unknown => "",
                };
            }
            Transition::Pause {
                delay: after,
                reason,
                cause,
            } => {
                (detail, delay, word) = (cause, *after, reason.as_str());
            }
            Transition::Dead {
                class,
                cause,
                advice: todo,
                attempts: used,
            } => {
                (detail, attempts, word, advice) = (cause, Some(*used), class.as_str(), todo);
            }
            Transition::Abandon => detail = ABANDONED,
            Transition::Release => {}
        }
        call.arg(&self.lane)
            .arg(self.token)
            .arg(self.transition.kind())
            .arg(detail)
            .arg(or_empty(delay.map(|delay| delay.as_millis())))
            .arg(or_empty(attempts))
            .arg(word)
            .arg(advice)
            .arg(self.took.as_millis() as u64)
            .arg(self.call)
            .arg(self.sent.as_deref().unwrap_or_default());
    }
}
