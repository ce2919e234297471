//! Sorted parts of an answer in a file: without a name, so that it goes with the process whatever becomes of that, and
//! encrypted under a key that nobody else ever has, so that the disk holds nothing about anybody.

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::Arc,
};

use jobs::outcome::DeadClass;
use queue::{
    intake::{Listed, NewChange, NewLetter},
    seal::Seals,
};
use serde_json::value::RawValue;

/// Changes in their order.
pub(super) type SortedRun = Box<dyn Iterator<Item = io::Result<NewChange>> + Send + Sync>;

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

/// The file that runs are written to, one behind the other.
pub(super) struct RunFile {
    /// Where it may be made, the best place first.
    places: Vec<PathBuf>,
    pub(super) file: Option<Arc<File>>,
    end: u64,
    seals: Seals,
}

impl Default for RunFile {
    /// `TMPDIR`, or where large files are to be put: `/tmp` may be memory.
    fn default() -> Self {
        let named = env::var_os("TMPDIR").map(PathBuf::from);
        Self::at(named.into_iter().chain(["/var/tmp".into(), "/tmp".into()]))
    }
}

impl RunFile {
    pub fn at(places: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            places: places.into_iter().collect(),
            file: None,
            end: 0,
            seals: Seals::new(Some(&rand::random()), &[]),
        }
    }

    /// Writes sorted changes, each on a line that is bound to its place.
    ///
    /// # Errors
    /// There is no room. The next run is written over what was.
    pub fn write(&mut self, changes: &[NewChange]) -> io::Result<SortedRun> {
        let (file, start) = (self.file()?, self.end);
        let mut lines = BufWriter::new(Part {
            file: Arc::clone(&file),
            at: start,
            end: u64::MAX,
        });
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
            let place = format!("{start} {line}");
            writeln!(lines, "{}", self.seals.seal(&place, &record))?;
        }
        self.end = lines.into_inner()?.at;
        let (at, end) = (start, self.end);
        Ok(self.read(Part { file, at, end }))
    }

    fn read(&self, part: Part) -> SortedRun {
        let (seals, start) = (self.seals.clone(), part.at);
        let lines = BufReader::new(part).lines().enumerate();
        Box::new(lines.map(move |(line, sealed)| {
            let record = seals.open(&format!("{start} {line}"), &sealed?);
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

    fn file(&mut self) -> io::Result<Arc<File>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let mut made = Err(io::ErrorKind::NotFound.into());
        for place in &self.places {
            made = tempfile::tempfile_in(place);
            if made.is_ok() {
                break;
            }
        }
        let file = Arc::new(made?);
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }
}

/// A part of the file. Runs are read side by side, so none may move the file's own position.
struct Part {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        let read = self.file.read_at(&mut into[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, self.at)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
