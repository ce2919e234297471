//! An answer of any length in the order of its changes, in little memory.
//!
//! AlumnIQ promises no order of its rows, and a person's changes are applied oldest first: no row may enter the queue
//! before the last one has come. What is more than [`HELD`] is therefore sorted in parts, each part written away and
//! all of them read side by side at the end, as merge sort did it with tapes. Until then nothing of the answer is in
//! the queue: an answer that breaks off has changed nothing.
//!
//! # Layout
//!
//! - `spill`: the file that parts are written to, for nobody else to read
//! - `coded`: a change as bytes

mod coded;
mod spill;

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    io, vec,
};

use queue::intake::NewChange;

use self::spill::{Part, Spill};

/// How much of an answer is sorted in memory, give or take a row: some 10 000 changes. Nearly every answer is shorter.
const HELD: usize = 6 << 20;

/// What a change takes besides its texts.
const OVERHEAD: usize = size_of::<NewChange>() + 4 * 16;

/// How much is held where nothing can be written away: as much as a process may be expected to have.
const HELD_WITHOUT_ROOM: usize = 256 << 20;

/// How many changes are handed on at a time, and how many bytes of rows, give or take one.
const GROUP: usize = 2_000;
const GROUP_BYTES: usize = 1 << 20;

/// Takes changes in any order.
pub struct Sorter {
    most: usize,
    held: Vec<NewChange>,
    weight: usize,
    spill: Spill,
    parts: Vec<Part>,
    /// Parts that could not be written away, and what they weigh.
    kept: Vec<Vec<NewChange>>,
    kept_weight: usize,
    /// How many came.
    rows: u64,
}

impl Default for Sorter {
    fn default() -> Self {
        Self::holding(HELD, Spill::default())
    }
}

impl Sorter {
    fn holding(most: usize, spill: Spill) -> Self {
        Self {
            most,
            held: Vec::new(),
            weight: 0,
            spill,
            parts: Vec::new(),
            kept: Vec::new(),
            kept_weight: 0,
            rows: 0,
        }
    }

    /// One more.
    ///
    /// # Errors
    /// There is no room on disk, and no more in memory.
    pub fn push(&mut self, mut change: NewChange) -> io::Result<()> {
        self.rows += 1;
        if let Some(listed) = &mut change.listed {
            listed.row = self.rows;
        }
        self.weight += weight(&change);
        self.held.push(change);
        if self.weight < self.most {
            return Ok(());
        }
        let part = self.take_held();
        let weight = std::mem::take(&mut self.weight);
        match self.spill.write(&part) {
            Ok(part) => self.parts.push(part),
            Err(error) if self.kept_weight + weight > HELD_WITHOUT_ROOM => return Err(error),
            Err(error) => {
                if self.kept.is_empty() {
                    tracing::warn!(%error, "a large answer of AlumnIQ is kept in memory: it cannot be written to disk");
                }
                self.kept_weight += weight;
                self.kept.push(part);
            }
        }
        Ok(())
    }

    /// All that came, oldest first; of two with the same place the one that came first.
    ///
    /// # Errors
    /// What was written cannot be read.
    pub fn sorted(mut self) -> io::Result<Sorted> {
        let last = self.take_held();
        let mut sources: Vec<Source> = Vec::new();
        for part in self.parts {
            sources.push(Source::Written(part));
        }
        // Once something could not be written, nothing is any more.
        let kept = self.kept.into_iter().chain([last]);
        sources.extend(kept.map(|part| Source::Held(part.into_iter())));
        let mut sorted = Sorted {
            spill: self.spill,
            heads: BinaryHeap::with_capacity(sources.len()),
            sources,
        };
        for source in 0..sorted.sources.len() {
            sorted.advance(source)?;
        }
        Ok(sorted)
    }

    fn take_held(&mut self) -> Vec<NewChange> {
        let mut held = std::mem::take(&mut self.held);
        held.sort_by(|a, b| a.order.cmp(&b.order));
        held
    }
}

fn weight(change: &NewChange) -> usize {
    let NewChange {
        change_id,
        xid,
        order,
        row,
        letter,
        ..
    } = change;
    let letter = letter
        .as_ref()
        .map_or(0, |l| l.cause.len() + l.advice.len());
    let texts = change_id.len() + xid.as_ref().map_or(0, String::len) + order.len() + letter;
    OVERHEAD + texts + row.get().len()
}

/// Gives changes in their order.
pub struct Sorted {
    spill: Spill,
    sources: Vec<Source>,
    /// The oldest of each source.
    heads: BinaryHeap<Reverse<Head>>,
}

/// A sorted part.
enum Source {
    Written(Part),
    Held(vec::IntoIter<NewChange>),
}

struct Head {
    change: NewChange,
    source: usize,
}

impl Sorted {
    /// The next ones; none: that was all.
    ///
    /// # Errors
    /// What was written cannot be read.
    pub fn group(&mut self) -> io::Result<Vec<NewChange>> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP
            && bytes < GROUP_BYTES
            && let Some(Reverse(head)) = self.heads.pop()
        {
            bytes += head.change.row.get().len();
            group.push(head.change);
            self.advance(head.source)?;
        }
        Ok(group)
    }

    fn advance(&mut self, source: usize) -> io::Result<()> {
        let change = match &mut self.sources[source] {
            Source::Written(part) => self.spill.next(part)?,
            Source::Held(part) => part.next(),
        };
        if let Some(change) = change {
            self.heads.push(Reverse(Head { change, source }));
        }
        Ok(())
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.change.order.cmp(&other.change.order);
        order.then(self.source.cmp(&other.source))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

#[cfg(test)]
mod tests;
