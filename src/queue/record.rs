//! A change as it lies in Redis: when it was fetched, whose it is, and its row, plain or sealed.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ClassifyForPeople, Queue, QueueError, intake::Listed, seal::SealError};

/// The immutable part of a change; as JSON, it lies so in Redis where there is no key. A golden test guards its shape.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The constituent; absent for an anonymous change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub xid: Option<String>,
    /// The row as AlumnIQ sent it.
    pub row: Box<RawValue>,
}

/// How many digits of a stored change are the time of its fetch.
pub(super) const FETCHED_DIGITS: usize = 13;

/// The JSON behind those digits. A sealed row stands first: scripts look for it there and nowhere else, because a
/// plain row may hold any words.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    xid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<&'a RawValue>,
    /// See [`Queue::listed`]. Scripts look for it at the end and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    listed: Option<&'a str>,
}

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(default)]
    xid: Option<String>,
    #[serde(borrow, default)]
    row: Option<&'a RawValue>,
    #[serde(default)]
    sealed: Option<String>,
    #[serde(default)]
    listed: Option<String>,
}

impl Queue {
    /// The JSON of a field of `changes`, sealed where there is a key.
    pub(super) fn written(
        &self,
        change_id: &str,
        xid: Option<&str>,
        row: &RawValue,
        listed: Option<&str>,
    ) -> Result<String, QueueError> {
        let seals = &self.settings.seals;
        let sealed = seals
            .current()
            .map(|_| seals.seal(&self.place(change_id), row.get()));
        let written = Written {
            sealed: sealed.as_deref(),
            xid,
            row: sealed.is_none().then_some(row),
            listed,
        };
        serde_json::to_string(&written)
            .map_err(|error| QueueError::unreadable("a new change", error))
    }

    /// How AlumnIQ listed a row: when the fetch began (13 digits, ms), its place in that answer, and a digest of its
    /// content under each key of this process, the current one first.
    pub(super) fn listed(&self, change_id: &str, fetched_at: u64, listed: &Listed) -> String {
        let place = self.place(change_id);
        let digests = self.settings.seals.digests(&place, &listed.content);
        format!("{fetched_at:013} {} {}", listed.row, digests.join(" "))
    }

    /// Reads a field of `changes`: (fetched ms, record).
    pub(super) fn read(&self, change_id: &str, stored: &str) -> Result<(u64, Record), QueueError> {
        let (fetched, read) = split(change_id, stored)?;
        let row = match (read.row, read.sealed) {
            (Some(row), None) => row.to_owned(),
            (None, Some(sealed)) => {
                let row = self
                    .settings
                    .seals
                    .open(&self.place(change_id), &sealed)
                    .map_err(|why| QueueError::sealed(what(change_id), why))?;
                RawValue::from_string(row)
                    .map_err(|_| QueueError::sealed(what(change_id), SealError::Broken))?
            }
            _ => {
                let why = "Data error: it has no row";
                return Err(QueueError::unreadable(what(change_id), why));
            }
        };
        Ok((fetched, Record { xid: read.xid, row }))
    }

    /// What a row is sealed for: a name of its own in the namespace.
    fn place(&self, change_id: &str) -> String {
        self.keys.of(&["change", change_id])
    }

    /// `plain`, sealed for the key that these parts name; as it is where there is no key.
    pub fn seal(&self, key: &[&str], plain: &str) -> String {
        self.settings.seals.seal(&self.keys.of(key), plain)
    }

    /// What [`Queue::seal`] wrote to the key that these parts name.
    ///
    /// # Errors
    /// Its key is not known here, or it is not what was sealed for this place.
    pub fn open(&self, key: &[&str], stored: &str) -> Result<String, QueueError> {
        let opened = self.settings.seals.open(&self.keys.of(key), stored);
        opened.map_err(|why| QueueError::sealed(key.join(":"), why))
    }
}

/// How AlumnIQ listed a stored change, see [`Queue::listed`].
pub(super) fn listed(change_id: &str, stored: &str) -> Result<Option<String>, QueueError> {
    Ok(split(change_id, stored)?.1.listed)
}

/// When a stored change was fetched, and whose it is: known without a key.
pub(super) fn whose(change_id: &str, stored: &str) -> Result<(u64, Option<String>), QueueError> {
    let (fetched, read) = split(change_id, stored)?;
    Ok((fetched, read.xid))
}

/// The digits of the fetch, and the JSON.
pub(super) fn parts<'a>(
    change_id: &str,
    stored: &'a str,
) -> Result<(&'a str, &'a str), QueueError> {
    stored
        .split_at_checked(FETCHED_DIGITS)
        .ok_or_else(|| QueueError::unreadable(what(change_id), "it is too short"))
}

fn split<'a>(change_id: &str, stored: &'a str) -> Result<(u64, Read<'a>), QueueError> {
    let (fetched, json) = parts(change_id, stored)?;
    let fetched = fetched
        .parse()
        .map_err(|error| QueueError::unreadable(what(change_id), error))?;
    let read = serde_json::from_str(json)
        .map_err(|error| QueueError::unreadable(what(change_id), error.classify_for_people()))?;
    Ok((fetched, read))
}

fn what(change_id: &str) -> String {
    format!("a record of change {change_id}")
}
