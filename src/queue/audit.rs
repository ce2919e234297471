//! Who did what: every transition by a person writes an entry in the same script; what is no transition is noted.
//!
//! An entry names changes by their ids and holds nothing of people but what the actor wrote: `reason`, `detail`.

mod action;

use std::{
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use jobs::destination::Vendor;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::action::AuditAction;
use super::{Queue, QueueError, timestamp::rfc3339};

/// How many entries one call looks at for a filter, at the most.
const LOOKED_AT: usize = 2000;

/// How many of them are read at a time.
const READ_AT_ONCE: usize = 200;

/// How many changeIds one entry names, at the most.
pub const NAMED: usize = 200;

/// Who acts: a person, and which way the action came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The name that the person goes by; not checked against anything.
    pub name: String,
    /// Which way.
    pub via: Via,
}

/// Which way an action came. The wire name is the lower-case word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The command line, straight to Redis.
    Command,
    /// A page of the console.
    Console,
    /// The JSON API.
    Api,
}

impl Via {
    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Console => "console",
            Self::Api => "api",
        }
    }
}

impl Actor {
    /// `name`, at the command line.
    pub fn at_command(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            via: Via::Command,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// On whose behalf letters are handled.
#[derive(Debug, Clone, Copy)]
pub struct Handling<'a> {
    /// Who.
    pub by: &'a Actor,
    /// The bulk that this is a step of, as [`BulkLease::step`](super::bulk::BulkLease::step) names it: what is handled and gone is counted in `bulk:<id>` by the same script,
    /// but for rows that have to be decoded again.
    pub bulk: Option<&'a str>,
    /// The entry of the audit that the action's steps share: written by the first one. 0 before that.
    pub entry: Option<&'a AtomicU64>,
}

impl<'a> Handling<'a> {
    /// Says whether this is a whole action and no step of one; then its entry is kept in `entry`.
    pub(super) fn begin(&mut self, entry: &'a AtomicU64) -> bool {
        let is_whole = self.bulk.is_none() && self.entry.is_none();
        if is_whole {
            self.entry = Some(entry);
        }
        is_whole
    }
}

impl<'a> From<&'a Actor> for Handling<'a> {
    fn from(by: &'a Actor) -> Self {
        Self {
            by,
            bulk: None,
            entry: None,
        }
    }
}

/// What is said of an action besides who and what.
#[derive(Debug, Clone, Copy, Default)]
pub struct Note<'a> {
    /// Where.
    pub destination: Option<Vendor>,
    /// How many changes.
    pub count: Option<u64>,
    /// Which; of more than 200 the first.
    pub change_ids: &'a [String],
    /// Why, in the actor's words.
    pub reason: &'a str,
    /// More: names of fields, what was asked for; never a value of a row.
    pub detail: &'a str,
    /// The bulk that it is about.
    pub bulk: Option<&'a str>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place among all.
    pub id: u64,
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub by: String,
    /// Which way.
    pub via: Via,
    /// What.
    pub action: AuditAction,
    /// Where, if it was one place.
    pub destination: Option<Vendor>,
    /// How many changes.
    pub count: u64,
    /// Which.
    pub change_ids: Vec<String>,
    /// Why.
    pub reason: Option<String>,
    /// More.
    pub detail: Option<String>,
    /// The bulk that it belongs to.
    pub bulk: Option<String>,
}

/// Which entries. Absent = any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Whose.
    pub by: Option<String>,
    /// Which kind.
    pub action: Option<AuditAction>,
    /// About which change.
    pub change_id: Option<String>,
}

/// Entries, newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The page. Where a filter is rare it may hold fewer than asked for, even none, and still have a next one.
    pub items: Vec<AuditEntry>,
    /// What to pass for the next page.
    pub next: Option<u64>,
}

impl AuditFilter {
    fn matches(&self, entry: &AuditEntry) -> bool {
        self.by.as_ref().is_none_or(|by| *by == entry.by)
            && self.action.is_none_or(|action| action == entry.action)
            && self
                .change_id
                .as_ref()
                .is_none_or(|id| entry.change_ids.contains(id))
    }
}

impl Queue {
    /// Writes down what somebody did that is no transition of the queue. What strangers can cause at will
    /// (`login_refused`) is noted once a span of time, see [`Knocked`](super::sessions::Knocked): entries stay for
    /// `history.audit`.
    pub async fn note(
        &self,
        by: &Actor,
        action: AuditAction,
        note: &Note<'_>,
    ) -> Result<(), QueueError> {
        let mut call = self.scripts.note.prepare_invoke();
        let handling = Handling {
            by,
            bulk: note.bulk,
            entry: None,
        };
        self.push_hand(&mut call, handling);
        call.arg(action.as_str())
            .arg(note.destination.map_or("", Vendor::as_str))
            .arg(super::scripts::or_empty(note.count))
            .arg(note.reason)
            .arg(note.detail)
            .arg(&note.change_ids[..note.change_ids.len().min(NAMED)]);
        self.run(&mut call).await
    }

    /// Who did what, newest first. `cursor` is the [`AuditPage::next`] of the page before. With a filter one call
    /// looks at a bounded number of entries.
    pub async fn audit(
        &self,
        cursor: Option<u64>,
        limit: usize,
        filter: &AuditFilter,
    ) -> Result<AuditPage, QueueError> {
        let mut page = AuditPage::default();
        let mut before = cursor;
        let mut looked_at = 0;
        while looked_at < LOOKED_AT {
            let ids: Vec<u64> = redis::cmd("ZREVRANGEBYSCORE")
                .arg(self.keys.of(&["audit"]))
                .arg(before.map_or("+inf".to_owned(), |before| format!("({before}")))
                .arg("-inf")
                .arg("LIMIT")
                .arg(0)
                .arg(READ_AT_ONCE)
                .query_async(&mut self.connection.clone())
                .await?;
            if ids.is_empty() {
                return Ok(AuditPage { next: None, ..page });
            }
            looked_at += ids.len();
            for (id, entry) in ids.iter().zip(self.audit_entries(&ids).await?) {
                if let Some(entry) = entry.filter(|entry| filter.matches(entry)) {
                    if page.items.len() == limit {
                        page.next = before;
                        return Ok(page);
                    }
                    page.items.push(entry);
                }
                before = Some(*id);
            }
        }
        page.next = before;
        Ok(page)
    }

    /// Of those that have expired, or that another version wrote: nothing.
    async fn audit_entries(&self, ids: &[u64]) -> Result<Vec<Option<AuditEntry>>, QueueError> {
        let mut pipeline = redis::pipe();
        for id in ids {
            pipeline.hgetall(self.keys.of(&["audit", &id.to_string()]));
        }
        let raw: Vec<BTreeMap<String, String>> =
            pipeline.query_async(&mut self.connection.clone()).await?;
        let entries = ids.iter().zip(raw);
        Ok(entries
            .map(|(id, fields)| read_entry(*id, fields))
            .collect())
    }

    /// What `audit.actor` of the scripts reads.
    pub(super) fn push_hand(&self, call: &mut redis::ScriptInvocation<'_>, handling: Handling<'_>) {
        call.arg(&handling.by.name)
            .arg(handling.by.via.as_str())
            .arg(self.settings.keep_audit.as_millis() as u64)
            .arg(match handling.entry.map(|entry| entry.load(Relaxed)) {
                // Neither a bulk nor its token.
                Some(entry @ 1..) => format!("  {entry}"),
                _ => handling.bulk.unwrap_or_default().to_owned(),
            });
    }
}

fn read_entry(id: u64, mut fields: BTreeMap<String, String>) -> Option<AuditEntry> {
    let word = |word: &str| serde_json::Value::from(word);
    Some(AuditEntry {
        id,
        at: rfc3339(fields.get("at")?.parse().ok()?),
        via: serde_json::from_value(word(fields.get("via")?)).ok()?,
        action: serde_json::from_value(word(fields.get("action")?)).ok()?,
        destination: fields.get("destination").and_then(|name| name.parse().ok()),
        count: fields
            .get("count")
            .and_then(|count| count.parse().ok())
            .unwrap_or_default(),
        change_ids: fields
            .get("change_ids")
            .and_then(|ids| serde_json::from_str(ids).ok())
            .unwrap_or_default(),
        by: fields.remove("by")?,
        reason: fields.remove("reason"),
        detail: fields.remove("detail"),
        bulk: fields.remove("bulk"),
    })
}
