//! An answer of any length in the order of its changes, in little memory.
//!
//! AlumnIQ promises no order of its rows, and a person's changes are applied oldest first: no row may enter the queue
//! before the last one has come. What is more than [`HELD`] is therefore sorted in runs, which are written to a file and
//! merged at the end. Until then nothing of the answer is in the queue: an answer that breaks off has
//! changed nothing.

mod run;

use std::{io, iter};

use queue::intake::NewChange;

use self::run::{RunFile, SortedRun};

/// How much of an answer is sorted in memory, give or take a row: some 10 000 changes. Nearly every answer is shorter.
const HELD: usize = 6 << 20;

/// What a change takes besides its texts.
const OVERHEAD: usize = size_of::<NewChange>() + 4 * 16;

/// How much is held where nothing can be written: as much as a process may be expected to have.
const HELD_WITHOUT_ROOM: usize = 256 << 20;

/// How many changes are handed on at a time, and how many bytes of rows, give or take one.
const GROUP: usize = 2_000;
const GROUP_BYTES: usize = 1 << 20;

/// Takes changes in any order.
pub struct Sorter {
    /// How many bytes are held before they become a run.
    most: usize,
    held: Vec<NewChange>,
    weight: usize,
    file: RunFile,
    runs: Vec<SortedRun>,
    /// How many came.
    rows: u64,
}

impl Default for Sorter {
    fn default() -> Self {
        Self::holding(HELD, RunFile::default())
    }
}

impl Sorter {
    fn holding(most: usize, file: RunFile) -> Self {
        Self {
            most,
            held: Vec::new(),
            weight: 0,
            file,
            runs: Vec::new(),
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
        sort(&mut self.held);
        match self.file.write(&self.held) {
            Ok(run) => {
                self.runs.push(run);
                self.held.clear();
                self.weight = 0;
            }
            Err(error) if self.weight >= HELD_WITHOUT_ROOM => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "a large answer of AlumnIQ is kept in memory: it cannot be written to disk");
                self.most = HELD_WITHOUT_ROOM;
            }
        }
        Ok(())
    }

    /// All that came, oldest first; of two with the same place the one that came first.
    pub fn sorted(mut self) -> Sorted {
        sort(&mut self.held);
        let last: SortedRun = Box::new(self.held.into_iter().map(Ok));
        let runs = self.runs.into_iter().chain(iter::once(last));
        Sorted(runs.map(Iterator::peekable).collect())
    }
}

/// Leaves changes with the same place as they came.
fn sort(changes: &mut [NewChange]) {
    changes.sort_by(|a, b| a.order.cmp(&b.order));
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

/// Gives changes in their order: the runs, in the order in which they came.
pub struct Sorted(Vec<iter::Peekable<SortedRun>>);

impl Sorted {
    /// The next ones; none: that was all.
    ///
    /// # Errors
    /// A run cannot be read.
    pub fn group(&mut self) -> io::Result<Vec<NewChange>> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < GROUP
            && bytes < GROUP_BYTES
            && let Some(change) = self.next().transpose()?
        {
            bytes += change.row.get().len();
            group.push(change);
        }
        Ok(group)
    }

    /// From the run whose next change is the oldest. A run that cannot be read comes first.
    fn next(&mut self) -> Option<io::Result<NewChange>> {
        let mut oldest: Option<(usize, &str)> = None;
        for (at, run) in self.0.iter_mut().enumerate() {
            let Some(next) = run.peek() else {
                continue;
            };
            let order = next.as_ref().map_or("", |change| change.order.as_str());
            if oldest.is_none_or(|(_, least)| order < least) {
                oldest = Some((at, order));
            }
        }
        let (at, _) = oldest?;
        self.0[at].next()
    }
}

#[cfg(test)]
mod tests;
