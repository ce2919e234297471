//! The file that sorted parts are written to: without a name, so that it goes with the process whatever becomes of
//! that, and sealed under a key that nobody else ever has: what stands on disk says nothing of anybody.

use std::{
    env,
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::PathBuf,
};

use queue::intake::NewChange;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    error::Unspecified,
};

use super::coded;

/// So much is sealed, written and read at a time. Each part holds one such piece while it is read.
const PIECE: usize = 16 * 1024;

/// What sealing adds.
const TAG: usize = 16;

/// The file, from the first part on.
pub(super) struct Spill {
    /// Where one may be made, the best place first.
    places: Vec<PathBuf>,
    file: Option<File>,
    end: u64,
    key: LessSafeKey,
    /// Something could not be written: no place of the file is written twice.
    is_over: bool,
}

/// A part of the file, and how far it is read.
pub(super) struct Part {
    next: u64,
    end: u64,
    piece: Vec<u8>,
    at: usize,
}

impl Default for Spill {
    /// `TMPDIR`, or where large files are to be put: `/tmp` may be memory.
    fn default() -> Self {
        let named = env::var_os("TMPDIR").map(PathBuf::from);
        Self::at(named.into_iter().chain(["/var/tmp".into(), "/tmp".into()]))
    }
}

impl Spill {
    pub fn at(places: impl IntoIterator<Item = PathBuf>) -> Self {
        let key: [u8; 32] = rand::random();
        #[expect(clippy::expect_used, reason = "the key has the algorithm's length")]
        let key = UnboundKey::new(&AES_256_GCM, &key).expect("a key of 32 bytes");
        Self {
            places: places.into_iter().collect(),
            file: None,
            end: 0,
            key: LessSafeKey::new(key),
            is_over: false,
        }
    }

    /// Writes a part behind those that are there.
    ///
    /// # Errors
    /// There is no room.
    pub fn write(&mut self, changes: &[NewChange]) -> io::Result<Part> {
        if self.is_over {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let start = self.end;
        let written = self.write_all(changes);
        self.is_over = written.is_err();
        written.map(|()| Part {
            next: start,
            end: self.end,
            piece: Vec::new(),
            at: 0,
        })
    }

    fn write_all(&mut self, changes: &[NewChange]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for change in changes {
            coded::write(change, &mut bytes);
            let whole = bytes.len() - bytes.len() % PIECE;
            for piece in bytes[..whole].chunks(PIECE) {
                self.write_piece(piece)?;
            }
            bytes.drain(..whole);
        }
        match bytes.is_empty() {
            true => Ok(()),
            false => self.write_piece(&bytes),
        }
    }

    fn write_piece(&mut self, plain: &[u8]) -> io::Result<()> {
        let end = self.end;
        let mut sealed = Vec::with_capacity(plain.len() + TAG);
        sealed.extend_from_slice(plain);
        self.key
            .seal_in_place_append_tag(nonce(end), Aad::empty(), &mut sealed)
            .map_err(|Unspecified| io::Error::other("it cannot be sealed"))?;
        self.file()?.write_all_at(&sealed, end)?;
        self.end += sealed.len() as u64;
        Ok(())
    }

    pub(super) fn file(&mut self) -> io::Result<&File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut made = Err(io::ErrorKind::NotFound.into());
                for place in &self.places {
                    made = tempfile::tempfile_in(place);
                    if made.is_ok() {
                        break;
                    }
                }
                made?
            }
        };
        Ok(self.file.insert(file))
    }

    /// The part's next change.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub fn next(&self, part: &mut Part) -> io::Result<Option<NewChange>> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let mut reader = Reader {
            file,
            key: &self.key,
            part,
        };
        match reader.is_over() {
            true => Ok(None),
            false => coded::read(&mut reader).map(Some),
        }
    }
}

/// Where a piece stands is part of what it was sealed with: none can be put in another's place, and as no place is
/// written twice, none is used twice.
fn nonce(at: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&at.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

struct Reader<'a> {
    file: &'a File,
    key: &'a LessSafeKey,
    part: &'a mut Part,
}

impl Reader<'_> {
    fn is_over(&self) -> bool {
        self.part.at == self.part.piece.len() && self.part.next == self.part.end
    }

    fn fill(&mut self) -> io::Result<()> {
        let part = &mut *self.part;
        let length = (part.end - part.next).min((PIECE + TAG) as u64);
        part.piece.resize(length as usize, 0);
        self.file.read_exact_at(&mut part.piece, part.next)?;
        let plain = self
            .key
            .open_in_place(nonce(part.next), Aad::empty(), &mut part.piece);
        let plain = plain.map_err(|Unspecified| io::Error::other("it was altered on disk"))?;
        let plain = plain.len();
        part.piece.truncate(plain);
        part.at = 0;
        part.next += length;
        Ok(())
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.is_over() {
            return Ok(0);
        }
        if self.part.at == self.part.piece.len() {
            self.fill()?;
        }
        let rest = &self.part.piece[self.part.at..];
        let given = rest.len().min(into.len());
        into[..given].copy_from_slice(&rest[..given]);
        self.part.at += given;
        Ok(given)
    }
}
