//! The right to work on a change: how it is asked for, and how it is kept.

use std::{sync::Arc, time::Duration};

use jobs::{destination::Destination, outcome::DeadClass};
use serde_json::{json, value::RawValue};

pub use super::hold::Hold;
use super::{Queue, QueueError, sent::SentDocument};
use jobs::call_log::CallLog;

/// After how many lost leases a change is held to kill its workers.
const CRASH_LIMIT: u32 = 5;

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
    /// How many calls in a row found the destination down before this one; they use no attempt.
    pub deferrals: u32,
    /// When the change was fetched first, ms by Redis' clock. With its id it names the change's trace.
    pub fetched_at: u64,
    /// The row, or why it cannot be read (a record that another version wrote).
    pub row: Result<Arc<RawValue>, String>,
    /// The calls that are made for it.
    pub call_log: CallLog,
    /// The document that is sent for it.
    pub sent: SentDocument,
}

/// What to claim.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// How many changes at the most.
    pub most: usize,
    /// How many changes this worker goes on to hold.
    pub held: usize,
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
    /// Redis' state went back in time: nothing is leased until AlumnIQ's feed was read again.
    pub rolled_back: Option<RolledBack>,
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

/// Redis' state went back in time, as after a failover to a replica that lagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolledBack {
    /// When that was noticed, ms by Redis' clock.
    pub noticed_at: u64,
    /// Whether this claim noticed it.
    pub is_news: bool,
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

/// The script's answer: wait, held back, leases, the dead: id, class; what is locked: id, key; rolled back: when, whether
/// that is news.
pub(super) type RawClaim = (
    i64,
    String,
    Vec<(String, String, u64, String, String)>,
    Vec<(String, String)>,
    Vec<(String, String)>,
    Vec<(u64, String)>,
);

impl ClaimRequest {
    /// The arguments of claim.lua. `seen`: the newest token that this process was given lately.
    pub(super) fn push_arguments(
        &self,
        call: &mut redis::ScriptInvocation<'_>,
        keys: &str,
        seen: u64,
    ) {
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
        call.arg(self.most)
            .arg(self.held)
            .arg(self.lease.as_millis() as u64)
            .arg(self.fleet_limit)
            .arg(self.full_batch)
            .arg(u8::from(self.linger_over))
            .arg(CRASH_LIMIT)
            .arg(stale.to_string())
            .arg(crashed.to_string())
            .arg(keys)
            .arg(seen);
    }

    /// So many empty ones where nothing is claimed.
    pub(super) const ARGUMENTS: usize = 11;
}

impl Queue {
    /// The claim that a script answered with; `hold` is that of its leases.
    pub(super) fn claimed(&self, raw: RawClaim, hold: Hold) -> Claimed {
        let (wait, held_back, raw, died, locked, rolled_back) = raw;
        let leases = raw
            .into_iter()
            .map(|(lane, member, token, used, stored)| {
                let mut used = used.split(' ').map(|count| count.parse().unwrap_or(0));
                let (attempts, deferrals) = (used.next(), used.next());
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
                    attempts: attempts.unwrap_or(0),
                    deferrals: deferrals.unwrap_or(0),
                    fetched_at,
                    row,
                    call_log: CallLog::default(),
                    sent: SentDocument::default(),
                }
            })
            .collect();
        Claimed {
            leases,
            hold,
            look_again: u64::try_from(wait).ok().map(Duration::from_millis),
            held_back: held_back == "1",
            rolled_back: rolled_back.first().map(|(noticed_at, news)| RolledBack {
                noticed_at: *noticed_at,
                is_news: news == "1",
            }),
            died: died
                .into_iter()
                .map(|(change_id, class)| Died { change_id, class })
                .collect(),
            locked: locked
                .into_iter()
                .map(|(change_id, key)| Locked { change_id, key })
                .next(),
        }
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
}
