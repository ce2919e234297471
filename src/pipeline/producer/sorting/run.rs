//! A sorted part of an answer in a file: without a name, so that it goes with the process whatever becomes of that, and
//! encrypted under a key that nobody else ever has, so that the disk holds nothing about anybody.

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Seek, Write},
    path::PathBuf,
};

use jobs::outcome::DeadClass;
use queue::{
    intake::{Listed, NewChange, NewLetter},
    seal::Seals,
};
use serde_json::value::RawValue;

/// Changes in their order.
pub(super) type Run = Box<dyn Iterator<Item = io::Result<NewChange>> + Send + Sync>;

/// A change on its line: order, changeId, xid, row; class, cause, advice and `has_id` of its dead letter; digest and
/// place in the answer. `replaces` is left out: no row of the feed replaces another.
type Record = (
    String,
    String,
    Option<String>,
    Box<RawValue>,
    Option<(DeadClass, String, String, bool)>,
    Option<([u8; 32], u64)>,
);

/// Where runs are written.
pub(super) struct RunFiles {
    /// Where a file may be made, the best place first.
    places: Vec<PathBuf>,
    seals: Seals,
}

impl Default for RunFiles {
    /// `TMPDIR`, or where large files are to be put: `/tmp` may be memory.
    fn default() -> Self {
        let named = env::var_os("TMPDIR").map(PathBuf::from);
        Self::at(named.into_iter().chain(["/var/tmp".into(), "/tmp".into()]))
    }
}

impl RunFiles {
    pub fn at(places: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            places: places.into_iter().collect(),
            seals: Seals::new(Some(&rand::random()), &[]),
        }
    }

    /// Writes sorted changes.
    ///
    /// # Errors
    /// There is no room.
    pub fn write(&self, changes: &[NewChange]) -> io::Result<Run> {
        Ok(self.read(self.written(changes)?))
    }

    pub(super) fn written(&self, changes: &[NewChange]) -> io::Result<File> {
        let mut file = BufWriter::new(self.file()?);
        for (line, change) in changes.iter().enumerate() {
            let letter = change.letter.as_ref();
            let record = serde_json::to_string(&(
                &change.order,
                &change.change_id,
                &change.xid,
                &change.row,
                letter.map(|l| (l.class, &l.cause, &l.advice, l.has_id)),
                change.listed.map(|l| (l.content, l.row)),
            ))?;
            writeln!(file, "{}", self.seals.seal(&line.to_string(), &record))?;
        }
        let mut file = file.into_inner()?;
        file.rewind()?;
        Ok(file)
    }

    pub(super) fn read(&self, file: File) -> Run {
        let seals = self.seals.clone();
        let lines = BufReader::new(file).lines().enumerate();
        Box::new(lines.map(move |(line, sealed)| {
            let record = seals.open(&line.to_string(), &sealed?);
            let record = record.map_err(|_| io::Error::other("it was altered on disk"))?;
            let (order, change_id, xid, row, letter, listed) =
                serde_json::from_str::<Record>(&record)?;
            Ok(NewChange {
                change_id,
                xid,
                order,
                row,
                letter: letter.map(|(class, cause, advice, has_id)| {
                    NewLetter::new(class, cause, advice, has_id)
                }),
                replaces: None,
                listed: listed.map(|(content, row)| Listed { content, row }),
            })
        }))
    }

    fn file(&self) -> io::Result<File> {
        let mut made = Err(io::ErrorKind::NotFound.into());
        for place in &self.places {
            made = tempfile::tempfile_in(place);
            if made.is_ok() {
                break;
            }
        }
        made
    }
}
