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
    timestamp::rfc3339,
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

/// How many changes one call looks up.
const CHANGES_A_CALL: usize = 1_000;

/// How a change's lane stands, by destination.
#[derive(Debug, Default)]
pub(super) struct LaneView {
    /// The destinations that wait for the change.
    pub mask: u8,
    /// The change that is next.
    pub next: BTreeMap<Destination, String>,
    /// The one that is leased.
    pub running: BTreeMap<Destination, String>,
    /// Whether it is to be tried again.
    pub due: BTreeMap<Destination, bool>,
}

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
}

impl Queue {
    /// What is known of a change; `None` where nothing is.
    pub async fn timeline(&self, change_id: &str) -> Result<Option<Timeline>, QueueError> {
        self.timeline_in(change_id, None).await
    }

    /// The same where its lane was read already.
    pub(super) async fn timeline_in(
        &self,
        change_id: &str,
        view: Option<&LaneView>,
    ) -> Result<Option<Timeline>, QueueError> {
        let stored = self.stored(&[change_id], true).await?;
        let Some(stored) = stored.into_iter().next() else {
            return Ok(None);
        };
        let done = stored.marker;
        if stored.record.is_empty() && done.is_none() {
            return Ok(None);
        }
        let letters = self.letters_of(change_id).await?;
        let mut timeline = Timeline {
            change_id: change_id.to_owned(),
            xid: None,
            state: "in flight".into(),
            destinations: BTreeMap::new(),
            letters,
            events: stored
                .events
                .iter()
                .map(|event| read_event(event))
                .collect(),
        };
        let mut fetched = done
            .as_ref()
            .and_then(|done| done.split(' ').nth(2)?.parse().ok());
        if stored.record.len() > FETCHED_DIGITS {
            let (at, xid) = whose(change_id, &stored.record)?;
            fetched = Some(at);
            if done.is_none() {
                let read;
                let view = match view {
                    Some(view) => view,
                    None => {
                        read = self.lane_view(change_id, xid.as_deref()).await?;
                        &read
                    }
                };
                timeline.destinations = self
                    .where_it_stands(change_id, view, &timeline.letters)
                    .await?;
            }
            timeline.xid = xid;
        }
        timeline.state = match done.as_deref().and_then(|done| done.split(' ').next()) {
            Some("discarded") => "discarded",
            Some(_) => "acknowledged",
            None if !timeline.letters.is_empty() => "dead",
            None if stored.to_acknowledge => "to acknowledge",
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

    /// Reads the whole lane.
    async fn lane_view(&self, change_id: &str, xid: Option<&str>) -> Result<LaneView, QueueError> {
        let lane = keys::lane(xid, change_id);
        let mut connection = self.connection.clone();
        let members = self.lane_members(&lane).await?;
        let id = |member: &str| member.split_once(' ').map(|(_, id)| id.to_owned());
        let mut view = LaneView::default();
        for d in Destination::ALL {
            let waiting = members.iter().filter(|(_, mask)| mask & d.bit() != 0);
            let next = waiting.map(|(member, _)| member).min();
            view.next
                .extend(next.and_then(|next| id(next)).map(|id| (d, id)));
            let (running, due): (Option<String>, Option<f64>) = redis::pipe()
                .hget(self.keys.of(&["running", d.as_str()]), &lane)
                .zscore(self.keys.of(&["due", d.as_str()]), &lane)
                .query_async(&mut connection)
                .await?;
            let running = running.as_deref().and_then(|it| it.splitn(3, ' ').nth(2));
            view.running.extend(running.and_then(id).map(|id| (d, id)));
            view.due.insert(d, due.is_some());
        }
        let this = members
            .iter()
            .find(|(member, _)| id(member).as_deref() == Some(change_id));
        view.mask = this.map_or(0, |(_, mask)| *mask);
        Ok(view)
    }

    async fn where_it_stands(
        &self,
        change_id: &str,
        view: &LaneView,
        letters: &[Letter],
    ) -> Result<BTreeMap<Destination, Cow<'static, str>>, QueueError> {
        let dead_on_arrival = |letter: &Letter| {
            (letter.destination, letter.class) == (Vendor::Alumniq, DeadClass::Undecodable)
        };
        if letters.iter().any(dead_on_arrival) {
            return Ok(BTreeMap::new());
        }
        let is_this = |id: Option<&String>| id.is_some_and(|id| id == change_id);
        let mut states = BTreeMap::new();
        for destination in self.settings.destinations.iter().copied() {
            let is_dead = letters
                .iter()
                .any(|letter| letter.destination == Vendor::from(destination));
            let state = if is_dead {
                "dead"
            } else if view.mask & destination.bit() == 0 {
                "done"
            } else if is_this(view.running.get(&destination)) {
                "running"
            } else if view.due.get(&destination) == Some(&true)
                && self.has_attempts(destination, change_id).await?
            {
                "retry"
            } else if is_this(view.next.get(&destination)) {
                "ready"
            } else {
                "waiting"
            };
            states.insert(destination, state.into());
        }
        Ok(states)
    }

    async fn has_attempts(&self, d: Destination, change_id: &str) -> Result<bool, QueueError> {
        Ok(redis::cmd("HEXISTS")
            .arg(self.keys.of(&["attempts", d.as_str()]))
            .arg(change_id)
            .query_async(&mut self.connection.clone())
            .await?)
    }

    /// Which of these changes are no longer on the way: closed, dead, or never known. Used to wait for them.
    pub async fn settled(&self, change_ids: &[String]) -> Result<Vec<Settled>, QueueError> {
        let mut settled = Vec::with_capacity(change_ids.len());
        for ids in change_ids.chunks(CHANGES_A_CALL) {
            let mut call = self.scripts.settled.prepare_invoke();
            call.arg(ids);
            let verdicts: String = self.run(&mut call).await?;
            settled.extend(verdicts.chars().map(|verdict| match verdict {
                'c' => Settled::Closed,
                'd' => Settled::Dead,
                'n' => Settled::Not,
                _ => Settled::Unknown,
            }));
        }
        Ok(settled)
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
    let (at, text) = stored.split_once(' ').unwrap_or(("0", stored));
    let mut event = match DoneEvent::read(text) {
        Some(done) => json!({
            "event": "done",
            "destination": done.destination,
            "worker": done.worker,
            "detail": done.detail,
            "ms": done.ms,
        }),
        None => serde_json::from_str(text).unwrap_or_else(|_| json!({ "event": "unreadable" })),
    };
    if let Some(fields) = event.as_object_mut() {
        fields.shift_insert(
            0,
            "at".to_owned(),
            rfc3339(at.parse().unwrap_or_default()).into(),
        );
    }
    event
}

/// What the timeline says of a change that a destination took: `done <destination> <ms> <worker> <detail>`.
pub(super) struct DoneEvent<'a> {
    pub destination: &'a str,
    ms: u64,
    worker: &'a str,
    detail: &'a str,
}

impl<'a> DoneEvent<'a> {
    /// `None`: it is another event, in JSON.
    pub fn read(text: &'a str) -> Option<Self> {
        let mut words = text.strip_prefix("done ")?.splitn(4, ' ');
        Some(Self {
            destination: words.next()?,
            ms: words.next()?.parse().ok()?,
            worker: words.next()?,
            detail: words.next().unwrap_or_default(),
        })
    }
}
