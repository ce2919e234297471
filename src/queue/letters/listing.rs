//! Pages of letters. However many there are, a page reads about as many entries as it shows.

use std::collections::BTreeMap;

use jobs::{destination::Vendor, outcome::DeadClass};

use super::{LETTERS_A_CALL, Letter, LetterFilter, LetterPage, LetterRef, letter};
use crate::{Queue, QueueError};

/// How many names [`Queue::every_letter`] reads at a time.
const NAMES_A_CALL: usize = 1000;

/// In which order letters are listed: by the time of death.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeadLetterOrder {
    /// As they died.
    #[default]
    OldestFirst,
    /// What people look at first.
    NewestFirst,
}

impl Queue {
    /// One page, oldest first. `cursor` comes from the page before.
    pub async fn letters(
        &self,
        filter: &LetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> Result<LetterPage, QueueError> {
        self.letters_in(DeadLetterOrder::OldestFirst, filter, cursor, limit)
            .await
    }

    /// One page in an order. `cursor` comes from the page before in the same order.
    pub async fn letters_in(
        &self,
        order: DeadLetterOrder,
        filter: &LetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> Result<LetterPage, QueueError> {
        if filter.has_names() {
            let all = self.named_letters(order, filter).await?;
            let total = all.len() as u64;
            let behind = all
                .into_iter()
                .filter(|(name, _)| cursor.is_none_or(|cursor| order.is_behind(name, cursor)));
            let (names, mut items): (Vec<_>, Vec<_>) = behind.take(limit + 1).unzip();
            let next = (items.len() > limit)
                .then(|| limit.checked_sub(1).map(|last| names[last].clone()))
                .flatten();
            items.truncate(limit);
            return Ok(LetterPage { total, items, next });
        }
        let total = self.count_letters(filter).await?;
        let (mut items, mut after) = (Vec::new(), cursor.cloned());
        loop {
            let wanted = limit - items.len();
            let mut names = self
                .names_behind(order, filter, after.as_ref(), wanted + 1)
                .await?;
            let is_last = names.len() <= wanted;
            names.truncate(wanted);
            // A letter may have been handled since its name was read.
            items.extend(self.read_letters(&names).await?.into_iter().flatten());
            after = names.pop().or(after);
            if is_last || items.len() == limit {
                let next = after.filter(|_| !is_last);
                return Ok(LetterPage { total, items, next });
            }
        }
    }

    /// The names of all letters that a filter matches, oldest first.
    pub async fn every_letter(
        &self,
        filter: &LetterFilter,
    ) -> Result<Vec<(Vendor, String)>, QueueError> {
        let mut all: Vec<(Vendor, String)> = Vec::new();
        let mut after = None;
        loop {
            let names = self
                .letter_refs(filter, after.as_ref(), NAMES_A_CALL)
                .await?;
            let is_last = names.len() < NAMES_A_CALL;
            after = names.last().cloned();
            all.extend(names.into_iter().map(|name| (name.vendor, name.change_id)));
            if is_last {
                return Ok(all);
            }
        }
    }

    /// The names of the next `limit` letters behind `after`, oldest first.
    pub async fn letter_refs(
        &self,
        filter: &LetterFilter,
        after: Option<&LetterRef>,
        limit: usize,
    ) -> Result<Vec<LetterRef>, QueueError> {
        let order = DeadLetterOrder::OldestFirst;
        if !filter.has_names() {
            return self.names_behind(order, filter, after, limit).await;
        }
        let all = self.named_letters(order, filter).await?.into_iter();
        Ok(all
            .map(|(name, _)| name)
            .filter(|name| after.is_none_or(|after| order.is_behind(name, after)))
            .take(limit)
            .collect())
    }

    /// How many letters a filter matches that names no person and no changes.
    async fn count_letters(&self, filter: &LetterFilter) -> Result<u64, QueueError> {
        let mut pipeline = redis::pipe();
        let (from, to) = filter.scores();
        for (vendor, class) in filter.indexes() {
            pipeline.zcount(filter.index(&self.keys, vendor, class), &from, &to);
        }
        let counts: Vec<u64> = pipeline.query_async(&mut self.connection.clone()).await?;
        Ok(counts.into_iter().sum())
    }

    /// The letters of the changes or the person that the filter names, as far as they pass it.
    pub(super) async fn named_letters(
        &self,
        order: DeadLetterOrder,
        filter: &LetterFilter,
    ) -> Result<Vec<(LetterRef, Letter)>, QueueError> {
        let names: Vec<(Vendor, String)> = match &filter.change_ids[..] {
            [] => self.names_of_person(filter).await?,
            ids => ids
                .iter()
                .flat_map(|id| Vendor::ALL.map(|vendor| (vendor, id.clone())))
                .collect(),
        };
        let mut letters: Vec<(LetterRef, Letter)> = Vec::new();
        for names in names.chunks(LETTERS_A_CALL) {
            let found = self.letters_by_name(names).await?;
            letters.extend(
                found
                    .into_iter()
                    .filter(|(_, letter)| filter.matches(letter)),
            );
        }
        letters.sort_unstable_by(|a, b| order.compare(&a.0, &b.0));
        Ok(letters)
    }

    async fn names_of_person(
        &self,
        filter: &LetterFilter,
    ) -> Result<Vec<(Vendor, String)>, QueueError> {
        let xid = filter.xid.as_deref().unwrap_or_default();
        let members: Vec<String> = redis::cmd("SMEMBERS")
            .arg(self.keys.of(&["letters-of", "x", xid]))
            .query_async(&mut self.connection.clone())
            .await?;
        let names = members.iter().filter_map(|member| {
            let (vendor, id) = member.split_once(' ')?;
            Some((vendor.parse().ok()?, id.to_owned()))
        });
        Ok(names.collect())
    }

    async fn names_behind(
        &self,
        order: DeadLetterOrder,
        filter: &LetterFilter,
        after: Option<&LetterRef>,
        limit: usize,
    ) -> Result<Vec<LetterRef>, QueueError> {
        // Letters of one moment are ordered by name, and the cursor may stand among those of its own index: of
        // that one as much more is read as stands before it.
        let mut looks: Vec<Look> = filter
            .indexes()
            .filter_map(|index| Look::new(order, filter, after, index))
            .collect();
        let mut found = Vec::new();
        while !looks.is_empty() {
            let mut pipeline = redis::pipe();
            for look in &looks {
                let (command, first, last) = match order {
                    DeadLetterOrder::OldestFirst => ("ZRANGEBYSCORE", &look.from, &look.to),
                    DeadLetterOrder::NewestFirst => ("ZREVRANGEBYSCORE", &look.to, &look.from),
                };
                pipeline
                    .cmd(command)
                    .arg(filter.index(&self.keys, look.vendor, look.class))
                    .arg(first)
                    .arg(last)
                    .arg("WITHSCORES")
                    .arg("LIMIT")
                    .arg(look.skip)
                    .arg(limit);
            }
            let pages: Vec<Vec<(String, u64)>> =
                pipeline.query_async(&mut self.connection.clone()).await?;
            let mut unfinished = Vec::new();
            for (mut look, page) in looks.into_iter().zip(pages) {
                let is_full = page.len() == limit;
                look.skip += page.len();
                for (change_id, died_at) in page {
                    let name = LetterRef {
                        died_at,
                        vendor: look.vendor,
                        class: look.class,
                        change_id,
                    };
                    if after.is_none_or(|after| order.is_behind(&name, after)) {
                        look.found += 1;
                        found.push(name);
                    }
                }
                if is_full && look.found < limit {
                    unfinished.push(look);
                }
            }
            looks = unfinished;
        }
        found.sort_unstable_by(|a, b| order.compare(a, b));
        found.truncate(limit);
        Ok(found)
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

    /// Letters of which only the place is known; what is gone is left out.
    async fn letters_by_name(
        &self,
        names: &[(Vendor, String)],
    ) -> Result<Vec<(LetterRef, Letter)>, QueueError> {
        let mut pipeline = redis::pipe();
        for (vendor, id) in names {
            pipeline.hgetall(self.keys.of(&["letter", vendor.as_str(), id]));
        }
        let raw: Vec<BTreeMap<String, String>> =
            pipeline.query_async(&mut self.connection.clone()).await?;
        let read = |((vendor, id), fields): (&(Vendor, String), BTreeMap<String, String>)| {
            let name = LetterRef {
                died_at: fields.get("died_at")?.parse().ok()?,
                vendor: *vendor,
                class: fields.get("class")?.parse().ok()?,
                change_id: id.clone(),
            };
            let letter = letter(&name, &fields)?;
            Some((name, letter))
        };
        Ok(names.iter().zip(raw).filter_map(read).collect())
    }

    /// One letter.
    pub async fn letter(
        &self,
        vendor: Vendor,
        change_id: &str,
    ) -> Result<Option<Letter>, QueueError> {
        let found = self
            .letters_by_name(&[(vendor, change_id.to_owned())])
            .await?;
        Ok(found.into_iter().next().map(|(_, letter)| letter))
    }

    /// The letters of one change, at most one a vendor.
    pub async fn letters_of(&self, change_id: &str) -> Result<Vec<Letter>, QueueError> {
        let names = Vendor::ALL.map(|vendor| (vendor, change_id.to_owned()));
        let found = self.letters_by_name(&names).await?;
        Ok(found.into_iter().map(|(_, letter)| letter).collect())
    }
}

impl DeadLetterOrder {
    fn compare(self, a: &LetterRef, b: &LetterRef) -> std::cmp::Ordering {
        match self {
            Self::OldestFirst => a.cmp(b),
            Self::NewestFirst => b.cmp(a),
        }
    }

    /// Whether `name` comes later in this order than `cursor`.
    fn is_behind(self, name: &LetterRef, cursor: &LetterRef) -> bool {
        self.compare(name, cursor).is_gt()
    }
}

/// How far one index was read.
struct Look {
    vendor: Vendor,
    class: DeadClass,
    from: String,
    to: String,
    skip: usize,
    found: usize,
}

impl Look {
    /// `None`: nothing of this index can lie behind the cursor.
    fn new(
        order: DeadLetterOrder,
        filter: &LetterFilter,
        after: Option<&LetterRef>,
        (vendor, class): (Vendor, DeadClass),
    ) -> Option<Self> {
        let (mut from, mut to) = filter.scores();
        if let Some(after) = after {
            let index = (vendor, class).cmp(&(after.vendor, after.class));
            let died_at = after.died_at;
            match order {
                DeadLetterOrder::OldestFirst => {
                    let first = died_at + u64::from(index.is_lt());
                    from = first.max(filter.since.unwrap_or(0)).to_string();
                }
                DeadLetterOrder::NewestFirst => {
                    let last = died_at.checked_sub(u64::from(index.is_gt()))?;
                    let until = filter.until.map(|until| until.checked_sub(1));
                    let until = until.map_or(Some(last), |until| until)?;
                    to = last.min(until).to_string();
                }
            }
        }
        Some(Self {
            vendor,
            class,
            from: std::mem::take(&mut from),
            to: std::mem::take(&mut to),
            skip: 0,
            found: 0,
        })
    }
}
