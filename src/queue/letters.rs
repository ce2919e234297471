//! Dead letters: listed, replayed, discarded.

mod cursor;

use std::collections::BTreeMap;

use jobs::{destination::Vendor, outcome::DeadClass};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::cursor::{LetterRef, NoCursor};
use super::{Queue, QueueError, Record, audit::Actor};
use crate::trail::CHANGE;

/// How many letters one call reads, replays or discards.
const LETTERS_A_CALL: usize = 200;

/// How many letters [`Queue::every_letter`] reads at a time.
const LETTERS_A_PAGE: usize = 500;

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
    /// What to do.
    pub advice: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// When, RFC 3339, UTC.
    pub died_at: String,
}

/// Which letters. Absent = any.
#[derive(Debug, Clone, Default)]
pub struct LetterFilter {
    /// Where they died.
    pub vendor: Option<Vendor>,
    /// Which kind.
    pub class: Option<DeadClass>,
    /// Whose.
    pub xid: Option<String>,
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
    /// The page, oldest first.
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

impl Queue {
    /// One page, oldest first. `cursor` comes from the page before.
    pub async fn letters(
        &self,
        filter: &LetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> Result<LetterPage, QueueError> {
        let mut after = cursor.cloned();
        let mut items = Vec::new();
        let mut total = 0;
        if filter.xid.is_none() {
            total = self.count_letters(filter).await?;
        }
        let mut next = None;
        loop {
            let refs = self
                .letter_refs(filter, after.as_ref(), LETTERS_A_CALL)
                .await?;
            let letters = self.read_letters(&refs).await?;
            after = refs.last().cloned();
            let exhausted = refs.len() < LETTERS_A_CALL;
            for (name, letter) in refs.into_iter().zip(letters) {
                let Some(letter) = letter.filter(|letter| matches_person(filter, letter)) else {
                    continue;
                };
                total += u64::from(filter.xid.is_some());
                if items.len() < limit {
                    items.push((name, letter));
                } else if next.is_none() {
                    next = items
                        .last()
                        .map(|(name, _): &(LetterRef, Letter)| name.clone());
                }
            }
            // Letters of one person have no index of their own: counting them reads all.
            if exhausted || (filter.xid.is_none() && next.is_some()) {
                break;
            }
        }
        Ok(LetterPage {
            total,
            items: items.into_iter().map(|(_, letter)| letter).collect(),
            next,
        })
    }

    /// The names of all letters that a filter matches, oldest first.
    pub async fn every_letter(
        &self,
        filter: &LetterFilter,
    ) -> Result<Vec<(Vendor, String)>, QueueError> {
        let mut names = Vec::new();
        let mut cursor = None;
        loop {
            let page = self
                .letters(filter, cursor.as_ref(), LETTERS_A_PAGE)
                .await?;
            let items = page.items.into_iter();
            names.extend(items.map(|letter| (letter.destination, letter.change_id)));
            cursor = page.next;
            if cursor.is_none() {
                return Ok(names);
            }
        }
    }

    /// How many letters a filter matches; its `xid` is not looked at.
    async fn count_letters(&self, filter: &LetterFilter) -> Result<u64, QueueError> {
        let mut pipeline = redis::pipe();
        for (vendor, class) in filter.indexes() {
            let (from, to) = filter.scores();
            pipeline.zcount(self.index(vendor, class), from, to);
        }
        let counts: Vec<u64> = pipeline.query_async(&mut self.connection.clone()).await?;
        Ok(counts.into_iter().sum())
    }

    /// The names of the next `limit` letters behind `after`, oldest first.
    pub async fn letter_refs(
        &self,
        filter: &LetterFilter,
        after: Option<&LetterRef>,
        limit: usize,
    ) -> Result<Vec<LetterRef>, QueueError> {
        let (from, to) = filter.scores();
        let from = after.map_or(from, |after| after.died_at.to_string());
        let mut refs = Vec::new();
        for (vendor, class) in filter.indexes() {
            // Letters of one moment are ordered by name, and the cursor may stand among them: read on
            // until enough of them lie behind it.
            let mut skip = 0;
            let mut found = 0;
            while found < limit {
                let page: Vec<(String, u64)> = redis::cmd("ZRANGEBYSCORE")
                    .arg(self.index(vendor, class))
                    .arg(&from)
                    .arg(&to)
                    .arg("WITHSCORES")
                    .arg("LIMIT")
                    .arg(skip)
                    .arg(limit)
                    .query_async(&mut self.connection.clone())
                    .await?;
                let full = page.len() == limit;
                skip += page.len();
                for (change_id, died_at) in page {
                    let name = LetterRef {
                        died_at,
                        vendor,
                        class,
                        change_id,
                    };
                    if after.is_none_or(|after| name > *after) {
                        refs.push(name);
                        found += 1;
                    }
                }
                if !full {
                    break;
                }
            }
        }
        refs.sort_unstable();
        refs.truncate(limit);
        Ok(refs)
    }

    async fn read_letters(&self, refs: &[LetterRef]) -> Result<Vec<Option<Letter>>, QueueError> {
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for name in refs {
            pipeline.hgetall(
                self.keys
                    .of(&["letter", name.vendor.as_str(), &name.change_id]),
            );
        }
        let raw: Vec<BTreeMap<String, String>> =
            pipeline.query_async(&mut self.connection.clone()).await?;
        Ok(refs
            .iter()
            .zip(raw)
            .map(|(name, fields)| letter(name, &fields))
            .collect())
    }

    /// The letters of one change, at most one a vendor.
    pub async fn letters_of(&self, change_id: &str) -> Result<Vec<Letter>, QueueError> {
        let mut pipeline = redis::pipe();
        for vendor in Vendor::ALL {
            pipeline.hgetall(self.keys.of(&["letter", vendor.as_str(), change_id]));
        }
        let raw: Vec<BTreeMap<String, String>> =
            pipeline.query_async(&mut self.connection.clone()).await?;
        Ok(Vendor::ALL
            .into_iter()
            .zip(raw)
            .filter_map(|(vendor, fields)| {
                let class = fields.get("class")?.parse().ok()?;
                let died_at = fields.get("died_at")?.parse().ok()?;
                let name = LetterRef {
                    died_at,
                    vendor,
                    class,
                    change_id: change_id.to_owned(),
                };
                letter(&name, &fields)
            })
            .collect())
    }

    /// Brings letters back into their lanes. `forced`: even over a newer change. Rows that could not be
    /// decoded are named in the second part: they have to be read again (see [`Queue::undecodable_row`]).
    pub async fn replay(
        &self,
        refs: &[(Vendor, String)],
        forced: bool,
        by: &Actor,
    ) -> Result<(Handled, Vec<String>), QueueError> {
        let mut total = Handled::default();
        let mut undecodable = Vec::new();
        for chunk in refs.chunks(LETTERS_A_CALL) {
            let mut call = self.scripts.replay.prepare_invoke();
            call.arg(u8::from(forced)).arg(&by.name);
            for (vendor, id) in chunk {
                call.arg(vendor.as_str()).arg(id);
            }
            let verdicts: String = self.run(&mut call).await?;
            for (verdict, (vendor, id)) in verdicts.chars().zip(chunk) {
                match verdict {
                    'r' => {
                        total.handled += 1;
                        tracing::info!(target: CHANGE, change_id = id, destination = %vendor, "replayed");
                    }
                    'u' => undecodable.push(id.clone()),
                    _ => total.gone += 1,
                }
            }
        }
        Ok((total, undecodable))
    }

    /// The row behind an undecodable letter, and when it was fetched.
    pub async fn undecodable_row(&self, id: &str) -> Result<Option<(u64, Record)>, QueueError> {
        let stored: Option<String> = redis::cmd("GET")
            .arg(self.keys.of(&["change", id]))
            .query_async(&mut self.connection.clone())
            .await?;
        stored.map(|stored| self.read(id, &stored)).transpose()
    }

    /// Gives letters up. `acknowledge`: AlumnIQ is told once nothing else of the change is open.
    pub async fn discard(
        &self,
        refs: &[(Vendor, String)],
        acknowledge: bool,
        reason: &str,
        by: &Actor,
    ) -> Result<Handled, QueueError> {
        let mut total = Handled::default();
        for chunk in refs.chunks(LETTERS_A_CALL) {
            let mut call = self.scripts.discard.prepare_invoke();
            call.arg(u8::from(acknowledge))
                .arg(self.settings.keep.as_millis() as u64)
                .arg(self.settings.keep_payload.as_millis() as u64)
                .arg(reason)
                .arg(&by.name);
            for (vendor, id) in chunk {
                call.arg(vendor.as_str()).arg(id);
            }
            let verdicts: String = self.run(&mut call).await?;
            for (verdict, (vendor, id)) in verdicts.chars().zip(chunk) {
                match verdict {
                    'd' => {
                        total.handled += 1;
                        // Not the reason: a person wrote it, perhaps about a person.
                        tracing::info!(target: CHANGE, change_id = id, destination = %vendor, "discarded");
                    }
                    _ => total.gone += 1,
                }
            }
        }
        Ok(total)
    }

    fn index(&self, vendor: Vendor, class: DeadClass) -> String {
        self.keys.of(&["letters", vendor.as_str(), class.as_str()])
    }
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
            && matches_person(self, letter)
            && self.since.is_none_or(|since| died_at >= Some(since))
            && self.until.is_none_or(|until| died_at < Some(until))
    }

    /// The indexes that can hold a match.
    fn indexes(&self) -> impl Iterator<Item = (Vendor, DeadClass)> + '_ {
        Vendor::ALL
            .into_iter()
            .filter(|vendor| self.vendor.is_none_or(|wanted| wanted == *vendor))
            .flat_map(|vendor| DeadClass::ALL.map(|class| (vendor, class)))
            .filter(|(_, class)| self.class.is_none_or(|wanted| wanted == *class))
    }

    fn scores(&self) -> (String, String) {
        (
            self.since
                .map_or("-inf".to_owned(), |since| since.to_string()),
            self.until
                .map_or("+inf".to_owned(), |until| format!("({until}")),
        )
    }
}

fn matches_person(filter: &LetterFilter, letter: &Letter) -> bool {
    filter.xid.is_none() || filter.xid == letter.xid
}

fn letter(name: &LetterRef, fields: &BTreeMap<String, String>) -> Option<Letter> {
    let lane = fields.get("lane")?;
    Some(Letter {
        change_id: name.change_id.clone(),
        xid: lane.strip_prefix("x:").map(str::to_owned),
        destination: name.vendor,
        class: name.class,
        cause: fields.get("cause")?.clone(),
        advice: fields.get("advice")?.clone(),
        attempts: fields.get("attempts")?.parse().unwrap_or_default(),
        died_at: super::stats::rfc3339(name.died_at),
    })
}
