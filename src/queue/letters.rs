//! Dead letters.
//!
//! # Layout
//!
//! - `cursor`: the name of a letter; `listing`: pages of them; `groups`: by cause, with counts
//! - `handling`: replayed, discarded

mod cursor;
mod groups;
mod handling;
mod listing;

use std::collections::BTreeMap;

use jobs::{destination::Vendor, outcome::DeadClass};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) use self::groups::MOST_CANDIDATES;
pub use self::{
    cursor::{LetterRef, NoCursor},
    groups::LetterGroup,
    listing::DeadLetterOrder,
};
use super::Keys;

/// How many letters one call reads, replays or discards.
const LETTERS_A_CALL: usize = 200;

/// One dead letter, as `dead list --json` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Letter {
    /// Which change.
    pub change_id: String,
    /// The constituent, if the row names one.
    pub xid: Option<String>,
    /// Where it died.
    pub destination: Vendor,
    /// Which kind.
    pub class: DeadClass,
    /// Why.
    pub cause: String,
    /// The key of its cause's group, for [`LetterFilter::cause`]; empty for a letter of an older version.
    #[serde(default)]
    pub cause_key: String,
    /// What to do.
    pub advice: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// When, RFC 3339, UTC.
    pub died_at: String,
}

/// Which letters. Absent = any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// Where they died.
    pub vendor: Option<Vendor>,
    /// Which kind.
    pub class: Option<DeadClass>,
    /// The key of a group of causes, see [`LetterGroup::cause`].
    pub cause: Option<String>,
    /// Whose.
    pub xid: Option<String>,
    /// Of these changes alone; none named: of any.
    pub change_ids: Vec<String>,
    /// Died at or after, ms.
    pub since: Option<u64>,
    /// Died before, ms.
    pub until: Option<u64>,
}

/// A page of letters.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LetterPage {
    /// How many the filter matches in all.
    pub total: u64,
    /// The page, in the order that was asked for.
    pub items: Vec<Letter>,
    /// Where the next page begins.
    #[schema(value_type = Option<String>)]
    pub next: Option<LetterRef>,
}

/// What became of the letters that were named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Handled {
    /// Replayed or discarded.
    pub handled: u64,
    /// There was no such letter (any more).
    pub gone: u64,
}

impl LetterFilter {
    /// Whether a letter that was found by its id passes.
    pub fn matches(&self, letter: &Letter) -> bool {
        let died_at: Option<u64> = letter
            .died_at
            .parse::<jiff::Timestamp>()
            .ok()
            .and_then(|time| time.as_millisecond().try_into().ok());
        self.vendor
            .is_none_or(|wanted| wanted == letter.destination)
            && self.class.is_none_or(|wanted| wanted == letter.class)
            && self
                .cause
                .as_ref()
                .is_none_or(|wanted| *wanted == letter.cause_key)
            && (self.xid.is_none() || self.xid == letter.xid)
            && (self.change_ids.is_empty() || self.change_ids.contains(&letter.change_id))
            && self.since.is_none_or(|since| died_at >= Some(since))
            && self.until.is_none_or(|until| died_at < Some(until))
    }

    /// Whether it names a person or changes: their letters are few, and are read one by one instead of by an index.
    fn has_names(&self) -> bool {
        self.xid.is_some() || !self.change_ids.is_empty()
    }

    /// The indexes that can hold a match.
    fn indexes(&self) -> impl Iterator<Item = (Vendor, DeadClass)> + '_ {
        Vendor::ALL
            .into_iter()
            .filter(|vendor| self.vendor.is_none_or(|wanted| wanted == *vendor))
            .flat_map(|vendor| DeadClass::ALL.map(|class| (vendor, class)))
            .filter(|(_, class)| self.class.is_none_or(|wanted| wanted == *class))
    }

    /// The index of a vendor's letters of one class: of one cause, where the filter names one.
    fn index(&self, keys: &Keys, vendor: Vendor, class: DeadClass) -> String {
        match &self.cause {
            Some(cause) => keys.of(&["because", vendor.as_str(), class.as_str(), cause]),
            None => keys.of(&["letters", vendor.as_str(), class.as_str()]),
        }
    }

    /// As limits of a sorted set.
    fn scores(&self) -> (String, String) {
        (
            self.since
                .map_or("-inf".to_owned(), |since| since.to_string()),
            self.until
                .map_or("+inf".to_owned(), |until| format!("({until}")),
        )
    }
}

fn letter(name: &LetterRef, fields: &BTreeMap<String, String>) -> Option<Letter> {
    let lane = fields.get("lane")?;
    Some(Letter {
        change_id: name.change_id.clone(),
        xid: lane.strip_prefix("x:").map(str::to_owned),
        destination: name.vendor,
        class: name.class,
        cause: fields.get("cause")?.clone(),
        cause_key: fields.get("because").cloned().unwrap_or_default(),
        advice: fields.get("advice")?.clone(),
        attempts: fields.get("attempts")?.parse().unwrap_or_default(),
        died_at: super::timestamp::rfc3339(name.died_at),
    })
}
