//! The rows of a body, one after the other: a feed may be far longer than what should stand in memory.

use std::{
    cell::Cell,
    fmt,
    io::{self, Read},
};

use serde::{
    Deserializer as _,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_json::{Deserializer, de::IoRead, error::Category, value::RawValue};

use super::tidy::{Tidy, TooLong};

/// The most bytes that are held to learn where a row ends. Far more than a row may have
/// ([`crate::change::MAX_ROW`]), for a row that is too long becomes a dead letter under its own changeId; what is
/// longer than this is no row, and is not waited for.
const LONGEST_ROW: usize = 32 << 20;

/// Why a body gave no rows, or not all of them.
#[derive(Debug)]
pub enum Unread {
    /// It is no JSON array; says what it is instead, and quotes nothing of it.
    Found(String),
    /// It could not be read, or whoever was to take the rows could not.
    Failed(io::Error),
}

/// Gives `each` the rows of `body` as they come, and says how many there were. Rows are not looked into, so that
/// none of them can spoil the others: see [`crate::change::parse`]. That all is well is known at the end only.
///
/// # Errors
/// `body` is no JSON array to its end, or it or `each` fails.
pub fn read_rows(
    body: impl Read,
    each: impl FnMut(Box<RawValue>) -> io::Result<()>,
) -> Result<u64, Unread> {
    read_rows_of(LONGEST_ROW, body, each)
}

/// The same where a row ends before `longest` bytes.
pub(super) fn read_rows_of(
    longest: usize,
    body: impl Read,
    each: impl FnMut(Box<RawValue>) -> io::Result<()>,
) -> Result<u64, Unread> {
    let found = |what: &str| Err(Unread::Found(what.to_owned()));
    let left = Cell::new(longest);
    let mut body = Tidy::new(body, &left);
    match body.first().map_err(Unread::Failed)? {
        None => found("nothing (an empty body)"),
        Some(b'<') => found("an HTML page"),
        Some(first) => {
            let (mut rows, mut failed) = (0, None);
            let taker = Each {
                each,
                longest,
                left: &left,
                rows: &mut rows,
                failed: &mut failed,
            };
            let read = Deserializer::new(IoRead::new(&mut body)).deserialize_seq(taker);
            match (read, failed) {
                (Ok(()), _) if body.is_over().map_err(Unread::Failed)? => Ok(rows),
                (Ok(()), _) => found("a JSON array with something behind it, which is no JSON"),
                (Err(_), Some(failed)) => Err(Unread::Failed(failed)),
                (Err(error), None) => Err(instead(error, longest, first, body.bytes)),
            }
        }
    }
}

/// What was found in the stead of rows.
fn instead(error: serde_json::Error, longest: usize, first: u8, bytes: u64) -> Unread {
    Unread::Found(match error.classify() {
        Category::Eof => format!("JSON that breaks off after {bytes} bytes"),
        Category::Data if first == b'{' => "a JSON object".to_owned(),
        Category::Data => "a single JSON value".to_owned(),
        Category::Syntax => format!(
            "something that is no JSON (line {}, column {})",
            error.line(),
            error.column()
        ),
        Category::Io => {
            let error = io::Error::from(error);
            match error.get_ref().is_some_and(|error| error.is::<TooLong>()) {
                true => format!("a row of more than {longest} bytes"),
                false => return Unread::Failed(error),
            }
        }
    })
}

/// Hands each row on.
struct Each<'a, F> {
    each: F,
    longest: usize,
    left: &'a Cell<usize>,
    rows: &'a mut u64,
    failed: &'a mut Option<io::Error>,
}

impl<'de, F: FnMut(Box<RawValue>) -> io::Result<()>> Visitor<'de> for Each<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(row) = seq.next_element()? {
            self.left.set(self.longest);
            *self.rows += 1;
            if let Err(error) = (self.each)(row) {
                *self.failed = Some(error);
                return Err(A::Error::custom("nobody takes the rows"));
            }
        }
        Ok(())
    }
}
