//! A row that an operator changes by hand.

use std::collections::BTreeSet;

use jobs::destination::Vendor;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    ClassifyForPeople, Queue, QueueError, Record,
    audit::{Actor, Handling, Via},
    record::{self, FETCHED_DIGITS},
    timestamp::rfc3339,
};
use jobs::call_log::CHANGE;

/// What became of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edited {
    /// The row is replaced and the letter is back in its lane.
    Replayed,
    /// The row of an undecodable letter is replaced: it has to be decoded again, as with a replay.
    Undecoded,
    /// Another row is there by now: somebody was faster. Nothing was changed.
    Changed,
    /// There is no such letter (any more).
    Gone,
}

/// One edit of a row: what it took away and what it put there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Edit {
    /// When, RFC 3339.
    #[serde(default)]
    pub at: String,
    /// Who.
    pub by: String,
    /// Which way.
    pub via: Via,
    /// The canonical names of the fields.
    pub fields: Vec<String>,
    /// The members of the row that are others now, as they were.
    #[schema(value_type = Object)]
    pub before: Map<String, Value>,
    /// The same as they are now.
    #[schema(value_type = Object)]
    pub after: Map<String, Value>,
}

impl Queue {
    /// The row of a change and when it was fetched, ms; `None` where there is none (any more).
    pub async fn row(&self, id: &str) -> Result<Option<(u64, Record)>, QueueError> {
        let stored = self.stored_row(id).await?;
        stored.map(|stored| self.read(id, &stored)).transpose()
    }

    async fn stored_row(&self, id: &str) -> Result<Option<String>, QueueError> {
        let stored = self.stored(&[id], true).await?.pop().map(|of| of.record);
        // Of a change that AlumnIQ only listed again there is the time of its fetch.
        Ok(stored.filter(|stored| stored.len() > FETCHED_DIGITS))
    }

    /// Replaces the row of a letter, if it is still `expected`, and brings the letter back, in one step. The edit
    /// stands until the change is closed: what AlumnIQ sends of it meanwhile does not undo it.
    ///
    /// `fields` are the canonical names of what is edited; the timeline and the audit name them, never a value.
    /// The change stays its person's and in its place, whatever the edited row says: callers refuse an edit of
    /// `changeId`, `xid` and `changedOn`.
    pub async fn edit(
        &self,
        vendor: Vendor,
        id: &str,
        expected: &Record,
        edited: &Record,
        fields: &[String],
        by: &Actor,
    ) -> Result<Edited, QueueError> {
        let Some(stored) = self.stored_row(id).await? else {
            return Ok(Edited::Changed);
        };
        let (_, current) = self.read(id, &stored)?;
        if current.row.get() != expected.row.get() {
            return Ok(Edited::Changed);
        }
        // What AlumnIQ lists is still what it was.
        let listed = record::listed(id, &stored)?;
        let record = self.written(id, current.xid.as_deref(), &edited.row, listed.as_deref())?;
        let edit = self.seal(
            &["edits", id],
            &json(&difference(&current, edited, fields, by))?,
        );
        let mut call = self.scripts.edit.prepare_invoke();
        self.push_hand(&mut call, Handling::from(by));
        call.arg(vendor.as_str())
            .arg(id)
            .arg(stored)
            .arg(record)
            .arg(edit)
            .arg(fields);
        let verdict: String = self.run(&mut call).await?;
        let edited = match verdict.as_str() {
            "r" => Edited::Replayed,
            "u" => Edited::Undecoded,
            "c" => Edited::Changed,
            _ => Edited::Gone,
        };
        if let Edited::Replayed | Edited::Undecoded = edited {
            tracing::info!(target: CHANGE, change_id = id, destination = %vendor, "edited");
        }
        Ok(edited)
    }

    /// What operators changed in a row, oldest first, the newest 20: as long as the row is kept.
    pub async fn edits(&self, id: &str) -> Result<Vec<Edit>, QueueError> {
        let key = ["edits", id];
        let stored: Vec<String> = redis::cmd("LRANGE")
            .arg(self.keys.of(&key))
            .arg(0)
            .arg(-1)
            .query_async(&mut self.connection.clone())
            .await?;
        let read = |stored: &String| {
            let (at, edit) = stored.split_once(' ').unwrap_or(("0", stored));
            let edit: Edit = serde_json::from_str(&self.open(&key, edit)?)
                .map_err(|error| unreadable(id, &error))?;
            Ok(Edit {
                at: rfc3339(at.parse().unwrap_or_default()),
                ..edit
            })
        };
        stored.iter().map(read).collect()
    }
}

fn difference(before: &Record, after: &Record, fields: &[String], by: &Actor) -> Edit {
    // A row that is no object has no members; it is replaced as a whole.
    let members = |record: &Record| -> Map<String, Value> {
        serde_json::from_str(record.row.get()).unwrap_or_default()
    };
    let (mut before, mut after) = (members(before), members(after));
    let same = |name: &&String| before.get(*name) == after.get(*name);
    let same: BTreeSet<String> = before.keys().filter(same).cloned().collect();
    before.retain(|name, _| !same.contains(name));
    after.retain(|name, _| !same.contains(name));
    Edit {
        at: String::new(),
        by: by.name.clone(),
        via: by.via,
        fields: fields.to_vec(),
        before,
        after,
    }
}

fn json(edit: &Edit) -> Result<String, QueueError> {
    serde_json::to_string(edit).map_err(|error| QueueError::unreadable("an edit", error))
}

fn unreadable(id: &str, error: &serde_json::Error) -> QueueError {
    QueueError::unreadable(
        format!("an edit of change {id}"),
        error.classify_for_people(),
    )
}
