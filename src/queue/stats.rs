//! Counts, books, pauses and processes: one consistent view.

use std::{collections::BTreeMap, fmt};

use jobs::{
    destination::{Destination, Vendor},
    outcome::{DeadClass, PauseReason},
};
use redis::AsyncTypedCommands;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    ClassifyForPeople, Queue, QueueError, defects::LastCheck, recent::RecentCall, room::Memory,
    timestamp::rfc3339, trouble::RedisErrorKind,
};

/// How long after its last sign of life a process still counts as living, if it does not say when the next one comes.
const SILENT_AFTER_MS: u64 = 15_000;

/// How late the next one may come, if it does.
const LATE_MS: u64 = 10_000;

/// Where a process says, in what is shown of it, within how many seconds it tells of itself again.
pub const TELLS_AGAIN: &str = "tells_again_seconds";

/// `status --json`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The books of promise 6.
    pub books: Books,
    /// By destination.
    pub destinations: BTreeMap<Destination, DestinationStatus>,
    /// Dead letters by vendor and class.
    pub dead_letters: BTreeMap<Vendor, BTreeMap<DeadClass, u64>>,
    /// Every shut gate.
    pub pauses: BTreeMap<Vendor, Pause>,
    /// Changes that wait for the PUT.
    pub to_acknowledge: u64,
    /// Changes in the list that AlumnIQ is being told.
    pub acknowledging: u64,
    /// Age of the oldest change that AlumnIQ was not yet told of.
    pub oldest_unacknowledged_seconds: f64,
    /// Age of the oldest change on the way to each vendor, of AlumnIQ to be told; 0 where there is none or an operator holds it.
    #[serde(default)]
    pub oldest_in_flight_seconds: BTreeMap<Vendor, f64>,
    /// Settles that came too late and changed nothing.
    pub refused_settles: u64,
    /// The producer's last fetch.
    pub producer: ProducerStatus,
    /// The processes that live.
    pub workers: BTreeMap<String, serde_json::Value>,
    /// What happened in the last hour: `fetched`, each destination's name (applied there), `acknowledged`.
    #[serde(default)]
    pub rates: BTreeMap<String, EventRate>,
    /// Redis' memory.
    pub memory: Memory,
    /// Why Redis refuses every write, where somebody tried; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_refused: Option<String>,
    /// What the leader's last hourly check of the queue's data found; absent before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_check: Option<LastCheck>,
}

/// `fetched = acknowledged + discarded + in_flight + dead`, in changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Books {
    /// Taken in.
    pub fetched: i64,
    /// AlumnIQ was told.
    pub acknowledged: i64,
    /// Given up by an operator.
    pub discarded: i64,
    /// On the way.
    pub in_flight: i64,
    /// Dead at one destination at least.
    pub dead: i64,
    /// What does not add up: 0.
    #[serde(default)]
    pub difference: i64,
}

impl Books {
    /// Whether a count is below zero, which no queue can have.
    pub fn are_negative(&self) -> bool {
        let Self {
            fetched,
            acknowledged,
            discarded,
            in_flight,
            dead,
            ..
        } = self;
        [fetched, acknowledged, discarded, in_flight, dead]
            .iter()
            .any(|count| **count < 0)
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fetched,
            acknowledged,
            discarded,
            in_flight,
            dead,
            difference,
        } = self;
        write!(
            f,
            "{fetched} fetched = {acknowledged} acknowledged + {discarded} discarded + {in_flight} in flight + \
             {dead} dead  "
        )?;
        match difference {
            0 if self.are_negative() => f.write_str("(A COUNT IS NEGATIVE)"),
            0 => f.write_str("(the books balance)"),
            difference => write!(f, "(THE BOOKS ARE OFF BY {difference})"),
        }
    }
}

/// The state of one destination, in changes.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct DestinationStatus {
    /// Behind an older change of the same person.
    pub waiting: i64,
    /// Could be claimed now.
    pub ready: i64,
    /// Leased.
    pub running: i64,
    /// Wait for their next attempt.
    pub retry: i64,
    /// Dead letters.
    pub dead: i64,
    /// Applied, since the books began.
    #[serde(default)]
    pub applied: i64,
    /// Whether the gate is shut.
    pub paused: bool,
}

/// A shut gate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Pause {
    /// Which kind.
    pub reason: PauseReason,
    /// Why.
    pub cause: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// The same, Unix seconds.
    pub since_timestamp_seconds: f64,
    /// When it is tried again; absent for an operator's pause.
    pub seconds_left: Option<f64>,
}

/// The producer's last fetch.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProducerStatus {
    /// Who leads, if anybody.
    pub leader: Option<String>,
    /// When the last good fetch ended, RFC 3339.
    pub last_success: Option<String>,
    /// The same, Unix seconds.
    pub last_success_timestamp_seconds: Option<f64>,
    /// When the last good fetch began that left nothing out, Unix seconds.
    pub last_sweep_timestamp_seconds: Option<f64>,
    /// Since when nothing is applied because Redis' state went back in time, RFC 3339; until the feed was read again.
    pub rolled_back_since: Option<String>,
    /// Why the last fetch failed.
    pub error: Option<String>,
    /// Days until AlumnIQ's key expires.
    pub key_days: Option<i64>,
}

/// How often something happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Rate)]
pub struct EventRate {
    /// In the last minute.
    pub per_minute: f64,
    /// In each minute of the last hour, oldest first; the last one may still be running.
    pub minutes: Vec<u64>,
}

impl EventRate {
    /// How many of the queue's buckets are a minute.
    const MINUTE: usize = 6;

    /// `buckets`: ten seconds each, oldest first.
    fn of(buckets: &[u64], now: u64) -> Self {
        // A minute and what has passed of the bucket that is being filled.
        let newest = buckets.iter().rev().take(Self::MINUTE + 1);
        let seconds = 60.0 + seconds(now % 10_000);
        Self {
            per_minute: newest.sum::<u64>() as f64 * 60.0 / seconds,
            minutes: buckets
                .chunks(Self::MINUTE)
                .map(|minute| minute.iter().sum())
                .collect(),
        }
    }
}

#[derive(Deserialize)]
struct RawStatus {
    now: u64,
    books: Books,
    refused_settles: u64,
    to_acknowledge: u64,
    acknowledging: u64,
    oldest_unacknowledged_ms: u64,
    vendors: BTreeMap<Vendor, RawVendor>,
    #[serde(default)]
    leader: String,
    // An empty Lua table is `{}` in JSON, whatever it was meant to be.
    producer: BTreeMap<String, String>,
    workers: BTreeMap<String, String>,
    #[serde(default)]
    rates: BTreeMap<String, Vec<u64>>,
    memory: Memory,
    #[serde(default)]
    check: String,
}

#[derive(Deserialize)]
struct RawVendor {
    gate: BTreeMap<String, String>,
    dead: BTreeMap<DeadClass, u64>,
    dead_total: i64,
    #[serde(default)]
    waiting: i64,
    #[serde(default)]
    ready: i64,
    #[serde(default)]
    running: i64,
    #[serde(default)]
    retry: i64,
    #[serde(default)]
    applied: i64,
    #[serde(default)]
    oldest_ms: f64,
}

impl Queue {
    /// Everything that can be counted, at one instant.
    pub async fn status(&self) -> Result<Status, QueueError> {
        let mut call = self.scripts.stats.prepare_invoke();
        for class in DeadClass::ALL {
            call.arg(class.as_str());
        }
        let json: String = self.run(&mut call).await?;
        Status::read(&json)
    }

    /// Why Redis refuses every write; `None` where it takes them.
    pub async fn refuses_writes(&self) -> Option<String> {
        // A write that changes nothing.
        let mut nothing = redis::cmd("DEL");
        nothing.arg(self.keys.of(&["nothing"]));
        let error = nothing
            .query_async::<()>(&mut self.connection.clone())
            .await
            .err()?;
        let trouble = RedisErrorKind::of(&error);
        let refuses = matches!(
            trouble,
            RedisErrorKind::Full
                | RedisErrorKind::DiskFails
                | RedisErrorKind::Replica
                | RedisErrorKind::TooFewReplicas
                | RedisErrorKind::Refused
        );
        refuses.then(|| trouble.to_string())
    }

    /// Says that this process lives, and sees the fleet, but for its leader and its rates. `info` (JSON) is shown by `status`;
    /// `calls`: what it called since, oldest first.
    pub async fn beat(
        &self,
        worker: &str,
        info: &str,
        calls: &[RecentCall],
    ) -> Result<Status, QueueError> {
        let mut call = self.scripts.beat.prepare_invoke();
        call.arg(worker).arg(info).arg(calls.len());
        for recent in calls {
            call.arg(recent.vendor.as_str()).arg(recent.stored(worker));
        }
        for class in DeadClass::ALL {
            call.arg(class.as_str());
        }
        let json: String = self.run(&mut call).await?;
        Status::read(&json)
    }

    /// Says that this process leaves.
    pub async fn leave(&self, worker: &str) -> Result<(), QueueError> {
        let mut call = self.scripts.beat.prepare_invoke();
        call.arg(worker).arg("").arg(0);
        let _: String = self.run(&mut call).await?;
        Ok(())
    }

    /// How many changes each process has leased; who has none is not listed.
    pub async fn holders(&self) -> Result<BTreeMap<String, usize>, QueueError> {
        let mut holders = BTreeMap::new();
        for destination in Destination::ALL {
            let key = self.keys.of(&["running", destination.as_str()]);
            for running in self.connection.clone().hvals(key).await? {
                if let Some(worker) = running.split(' ').nth(1) {
                    *holders.entry(worker.to_owned()).or_default() += 1;
                }
            }
        }
        Ok(holders)
    }
}

impl Status {
    /// Whether the queue's data contradict themselves, as far as counters and the last check show it.
    pub fn is_damaged(&self) -> bool {
        let left = self.last_check.as_ref().map_or(0, |last| last.defects.left);
        self.books.difference != 0 || self.books.are_negative() || left > 0
    }

    /// As the scripts tell it.
    pub(super) fn read(json: &str) -> Result<Self, QueueError> {
        let raw: RawStatus = serde_json::from_str(json)
            .map_err(|error| QueueError::unreadable("a status", error.classify_for_people()))?;
        Ok(Self::from(raw))
    }
}

impl From<RawStatus> for Status {
    fn from(raw: RawStatus) -> Self {
        let now = raw.now;
        let books = raw.books;
        let pauses: BTreeMap<Vendor, Pause> = raw
            .vendors
            .iter()
            .filter_map(|(vendor, view)| Some((*vendor, pause(&view.gate, now)?)))
            .collect();
        let destinations = Destination::ALL
            .into_iter()
            .filter_map(|destination| {
                let vendor = Vendor::from(destination);
                let view = raw.vendors.get(&vendor)?;
                let status = DestinationStatus {
                    waiting: view.waiting,
                    ready: view.ready,
                    running: view.running,
                    retry: view.retry,
                    dead: view.dead_total,
                    applied: view.applied,
                    paused: pauses.contains_key(&vendor),
                };
                Some((destination, status))
            })
            .collect();
        let fetch = |field| raw.producer.get(field)?.parse::<u64>().ok();
        let last_success = fetch("last_success");
        Self {
            books: Books {
                difference: books.fetched
                    - books.acknowledged
                    - books.discarded
                    - books.in_flight
                    - books.dead,
                ..books
            },
            destinations,
            dead_letters: raw
                .vendors
                .iter()
                .map(|(vendor, view)| (*vendor, view.dead.clone()))
                .collect(),
            pauses,
            to_acknowledge: raw.to_acknowledge,
            acknowledging: raw.acknowledging,
            oldest_unacknowledged_seconds: raw.oldest_unacknowledged_ms as f64 / 1000.0,
            oldest_in_flight_seconds: raw
                .vendors
                .iter()
                .map(|(vendor, view)| (*vendor, view.oldest_ms / 1000.0))
                .collect(),
            refused_settles: raw.refused_settles,
            producer: ProducerStatus {
                leader: Some(raw.leader).filter(|leader| !leader.is_empty()),
                last_success: last_success.map(rfc3339),
                last_success_timestamp_seconds: last_success.map(seconds),
                last_sweep_timestamp_seconds: fetch("last_sweep").map(seconds),
                rolled_back_since: fetch("rolled_back").map(rfc3339),
                error: raw.producer.get("error").cloned(),
                key_days: raw
                    .producer
                    .get("key_days")
                    .and_then(|days| days.parse().ok()),
            },
            workers: raw
                .workers
                .into_iter()
                .filter_map(|(name, beat)| living(name, &beat, now))
                .collect(),
            rates: raw
                .rates
                .into_iter()
                .map(|(name, buckets)| (name, EventRate::of(&buckets, now)))
                .collect(),
            memory: raw.memory,
            writes_refused: None,
            last_check: serde_json::from_str(&raw.check).ok(),
        }
    }
}

fn pause(gate: &BTreeMap<String, String>, now: u64) -> Option<Pause> {
    let text = |field: &str| gate.get(field).cloned().unwrap_or_default();
    let since = |field: &str| text(field).parse().unwrap_or_default();
    if gate.get("operator").is_some_and(|held| held == "1") {
        return Some(Pause {
            reason: PauseReason::Operator,
            cause: text("operator_cause"),
            since: rfc3339(since("operator_since")),
            since_timestamp_seconds: seconds(since("operator_since")),
            seconds_left: None,
        });
    }
    // Past its end the gate is half-open: still shut for all but one probe.
    let until: u64 = gate.get("until")?.parse().ok()?;
    Some(Pause {
        reason: PauseReason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text("reason"))
            .unwrap_or(PauseReason::Outage),
        cause: text("cause"),
        since: rfc3339(since("since")),
        since_timestamp_seconds: seconds(since("since")),
        seconds_left: Some(until.saturating_sub(now) as f64 / 1000.0),
    })
}

fn living(name: String, beat: &str, now: u64) -> Option<(String, serde_json::Value)> {
    let (at, info) = beat.split_once(' ')?;
    let silent = now.saturating_sub(at.parse().ok()?);
    let mut info: serde_json::Value = serde_json::from_str(info).ok()?;
    info["silent_seconds"] = (silent as f64 / 1000.0).into();
    let again = info[TELLS_AGAIN].as_u64();
    let silent_after = again.map_or(SILENT_AFTER_MS, |seconds| seconds * 1000 + LATE_MS);
    (silent < silent_after).then_some((name, info))
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
