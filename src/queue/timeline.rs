//! One change, from fetch to acknowledgement.

use std::{borrow::Cow, collections::BTreeMap};

use jobs::{
    destination::{Destination, Vendor},
    outcome::DeadClass,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    Queue, QueueError, keys,
    letters::Letter,
    record::{FETCHED_DIGITS, whose},
    stats::rfc3339,
};

/// `show --json`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// Which change.
    pub change_id: String,
    /// The constituent, while the row is kept.
    pub xid: Option<String>,
    /// `in flight`, `to acknowledge`, `dead`, `acknowledged` or `discarded`.
    #[schema(value_type = String)]
    pub state: Cow<'static, str>,
    /// By destination: `waiting`, `ready`, `running`, `retry`, `dead` or `done`. Empty for a row that could
    /// not be decoded: it never stood before a destination.
    #[schema(value_type = BTreeMap<Destination, String>)]
    pub destinations: BTreeMap<Destination, Cow<'static, str>>,
    /// Its dead letters.
    pub letters: Vec<Letter>,
    /// What happened, oldest first, each with `at` (RFC 3339) and `event`.
    pub events: Vec<Value>,
}

/// Record, marker, timeline, and the place in the acknowledgement's line.
type RawChange = (Option<String>, Option<String>, Vec<String>, Option<f64>);

impl Timeline {
    /// For who may not see people: nobody's xid, and nothing that was written freely and may name somebody.
    pub fn without_people(mut self) -> Self {
        self.xid = None;
        self.letters.iter_mut().for_each(|letter| letter.xid = None);
        for event in &mut self.events {
            // `detail` of what a vendor accepted names the person's record there.
            let hidden = match event["event"].as_str() {
                Some("discarded") => "reason",
                Some("done") => "detail",
                _ => continue,
            };
            if let Some(fields) = event.as_object_mut() {
                fields.shift_remove(hidden);
            }
        }
        self
    }

    /// When its first event was, RFC 3339.
    pub(super) fn began(&self) -> Option<&str> {
        self.events.first()?["at"].as_str()
    }
}

impl Queue {
    /// What is known of a change; `None` where nothing is.
    pub async fn timeline(&self, change_id: &str) -> Result<Option<Timeline>, QueueError> {
        let (record, done, events, to_ack): RawChange = redis::pipe()
            .get(self.keys.of(&["change", change_id]))
            .get(self.keys.of(&["done", change_id]))
            .lrange(self.keys.of(&["events", change_id]), 0, -1)
            .zscore(self.keys.of(&["ack"]), change_id)
            .query_async(&mut self.connection.clone())
            .await?;
        if record.is_none() && done.is_none() {
            return Ok(None);
        }
        let letters = self.letters_of(change_id).await?;
        let mut timeline = Timeline {
            change_id: change_id.to_owned(),
            xid: None,
            state: "in flight".into(),
            destinations: BTreeMap::new(),
            letters,
            events: events.iter().map(|event| read_event(event)).collect(),
        };
        let mut fetched = done
            .as_ref()
            .and_then(|done| done.split(' ').nth(2)?.parse().ok());
        if let Some(stored) = record.filter(|stored| stored.len() > FETCHED_DIGITS) {
            let (at, xid) = whose(change_id, &stored)?;
            fetched = Some(at);
            if done.is_none() {
                timeline.destinations = self
                    .where_it_stands(change_id, xid.as_deref(), &timeline.letters)
                    .await?;
            }
            timeline.xid = xid;
        }
        timeline.state = match done.as_deref().and_then(|done| done.split(' ').next()) {
            Some("discarded") => "discarded",
            Some(_) => "acknowledged",
            None if !timeline.letters.is_empty() => "dead",
            None if to_ack.is_some() => "to acknowledge",
            None => "in flight",
        }
        .into();
        if let Some(fetched) = fetched {
            timeline
                .events
                .insert(0, json!({ "at": rfc3339(fetched), "event": "fetched" }));
        }
        Ok(Some(timeline))
    }

    async fn where_it_stands(
        &self,
        change_id: &str,
        xid: Option<&str>,
        letters: &[Letter],
    ) -> Result<BTreeMap<Destination, Cow<'static, str>>, QueueError> {
        let dead_on_arrival = |letter: &Letter| {
            (letter.destination, letter.class) == (Vendor::Alumniq, DeadClass::Undecodable)
        };
        if letters.iter().any(dead_on_arrival) {
            return Ok(BTreeMap::new());
        }
        let lane = keys::lane(xid, change_id);
        let members: Vec<(String, u8)> = redis::cmd("ZRANGE")
            .arg(self.keys.of(&["lane", &lane]))
            .arg(0)
            .arg(-1)
            .arg("WITHSCORES")
            .query_async(&mut self.connection.clone())
            .await?;
        let waiting_for =
            |d: Destination| members.iter().filter(move |(_, mask)| mask & d.bit() != 0);
        let is_this = |member: &str| {
            member
                .split_once(' ')
                .is_some_and(|(_, id)| id == change_id)
        };
        let mut states = BTreeMap::new();
        for destination in self.settings.destinations.iter().copied() {
            let name = destination.as_str();
            let is_dead = letters
                .iter()
                .any(|letter| letter.destination == Vendor::from(destination));
            let state = if is_dead {
                "dead"
            } else if !waiting_for(destination).any(|(member, _)| is_this(member)) {
                "done"
            } else {
                let (running, due, attempts): (Option<String>, Option<f64>, Option<String>) =
                    redis::pipe()
                        .hget(self.keys.of(&["running", name]), &lane)
                        .zscore(self.keys.of(&["due", name]), &lane)
                        .hget(self.keys.of(&["attempts", name]), change_id)
                        .query_async(&mut self.connection.clone())
                        .await?;
                let running = running
                    .as_deref()
                    .and_then(|running| running.splitn(3, ' ').nth(2));
                let oldest = waiting_for(destination)
                    .map(|(member, _)| member.as_str())
                    .min();
                if running.is_some_and(is_this) {
                    "running"
                } else if due.is_some() && attempts.is_some() {
                    "retry"
                } else if oldest.is_some_and(is_this) {
                    "ready"
                } else {
                    "waiting"
                }
            };
            states.insert(destination, state.into());
        }
        Ok(states)
    }

    /// Which of these changes are no longer on the way: closed, dead, or never known. Used to wait for them.
    pub async fn settled(&self, change_ids: &[String]) -> Result<Vec<Settled>, QueueError> {
        if change_ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.connection.clone();
        let keys = |kind: &str, ids: &[String]| -> Vec<String> {
            ids.iter().map(|id| self.keys.of(&[kind, id])).collect()
        };
        let (closed, dead): (Vec<Option<String>>, Vec<Option<u8>>) = redis::pipe()
            .mget(keys("done", change_ids))
            .hmget(self.keys.of(&["dead"]), change_ids)
            .query_async(&mut connection)
            .await?;
        let mut settled: Vec<Settled> = closed
            .iter()
            .zip(&dead)
            .map(|(closed, dead)| match (closed, dead) {
                (Some(_), _) => Settled::Closed,
                (None, Some(_)) => Settled::Dead,
                (None, None) => Settled::Not,
            })
            .collect();
        let open: Vec<usize> = (0..settled.len())
            .filter(|&at| settled[at] == Settled::Not)
            .collect();
        let ids: Vec<String> = open.iter().map(|&at| change_ids[at].clone()).collect();
        if ids.is_empty() {
            return Ok(settled);
        }
        // One question for all, because nearly always each of them is there.
        let there: usize = redis::cmd("EXISTS")
            .arg(keys("change", &ids))
            .query_async(&mut connection)
            .await?;
        if there < ids.len() {
            for (at, state) in open.into_iter().zip(self.settled_singly(&ids).await?) {
                settled[at] = state;
            }
        }
        Ok(settled)
    }

    /// The same, each by itself: what is not there may have been closed since.
    async fn settled_singly(&self, change_ids: &[String]) -> Result<Vec<Settled>, QueueError> {
        let mut pipeline = redis::pipe();
        for id in change_ids {
            // In this order: a change that is closed in between has its marker then.
            pipeline
                .exists(self.keys.of(&["change", id]))
                .exists(self.keys.of(&["done", id]))
                .hexists(self.keys.of(&["dead"]), id);
        }
        let flags: Vec<bool> = pipeline.query_async(&mut self.connection.clone()).await?;
        let states = flags.chunks(3).map(|flags| match flags {
            [_, true, _] => Settled::Closed,
            [_, _, true] => Settled::Dead,
            [true, ..] => Settled::Not,
            _ => Settled::Unknown,
        });
        Ok(states.collect())
    }
}

/// Whether a change still needs work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Acknowledged or discarded.
    Closed,
    /// Dead at one destination at least.
    Dead,
    /// On the way.
    Not,
    /// Redis knows nothing of it (it was emptied).
    Unknown,
}

fn read_event(stored: &str) -> Value {
    let (at, json) = stored.split_once(' ').unwrap_or(("0", stored));
    let mut event: Value =
        serde_json::from_str(json).unwrap_or_else(|_| json!({ "event": "unreadable" }));
    if let Some(fields) = event.as_object_mut() {
        fields.shift_insert(
            0,
            "at".to_owned(),
            rfc3339(at.parse().unwrap_or_default()).into(),
        );
    }
    event
}
