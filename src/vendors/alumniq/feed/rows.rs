//! The rows of a body, one after the other: a feed may be far longer than what should stand in memory.

use std::io::{self, Read};

use serde_json::value::{RawValue, to_raw_value};

use super::{
    splitter::{SplitStep, Splitter},
    tidy::Tidy,
};

/// The most bytes that are held to learn where a row ends. Far more than a row may have
/// ([`jobs::change::MAX_ROW`]), for a row that is too long becomes a dead letter under its own changeId; what is
/// longer than this is no row, and is not waited for.
const LONGEST_ROW: usize = 32 << 20;

/// Why a body gave no rows, or not all of them.
#[derive(Debug)]
pub enum Unread {
    /// It is no JSON array; says what it is instead, and quotes nothing of it.
    Found(String),
    /// A row is broken in such a way that nothing proves where it ends.
    NoEnd {
        /// Which row, counted from 1.
        row: u64,
        /// At which of its characters the flaw was noticed.
        at: usize,
    },
    /// It could not be read, or whoever was to take the rows could not.
    Failed(io::Error),
}

/// Gives `each` the rows of `body` as they come, and says how many there were. Rows are not looked into, so that
/// none of them can spoil the others: see [`jobs::change::parse`]. A row that is no JSON is handed on as a JSON
/// string that holds its text. That all is well is known at the end only.
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
    let mut body = Tidy::new(body);
    match body.first().map_err(Unread::Failed)? {
        None => return found("nothing (an empty body)"),
        Some(b'[') => body.take(1),
        Some(b'<') => return found("an HTML page"),
        Some(b'{') => return found("a JSON object"),
        Some(b'"' | b'-' | b'0'..=b'9') => return found("a single JSON value"),
        Some(_) => {
            let begun = body.begins_with(5).map_err(Unread::Failed)?;
            let is_value = ["null", "true", "false"].contains(&begun.as_str().trim_end());
            return found(match is_value {
                true => "a single JSON value",
                false => "something that is no JSON",
            });
        }
    }
    let mut rows = Rows {
        each,
        count: 0,
        has_object: false,
        has_stray: false,
    };
    let mut splitter = Splitter::default();
    loop {
        let piece = body.piece().map_err(Unread::Failed)?;
        if piece.is_empty() {
            break;
        }
        let mut taken = 0;
        for &byte in piece {
            taken += 1;
            match splitter.step(byte) {
                SplitStep::On if splitter.held() <= longest => {}
                SplitStep::On => {
                    return Err(Unread::Found(format!("a row of more than {longest} bytes")));
                }
                SplitStep::Row(row) => rows.hand_on(row)?,
                SplitStep::End(last) => {
                    body.take(taken);
                    if let Some(row) = last {
                        rows.hand_on(row)?;
                    }
                    return match body.is_over().map_err(Unread::Failed)? {
                        true => rows.all(),
                        false => found("a JSON array with something behind it, which is no JSON"),
                    };
                }
                SplitStep::NoEnd { at } => {
                    let row = rows.count + 1;
                    return Err(Unread::NoEnd { row, at });
                }
            }
        }
        body.take(taken);
    }
    match splitter.last_of_all() {
        SplitStep::End(Some(row)) => {
            rows.hand_on(row)?;
            rows.all()
        }
        SplitStep::NoEnd { at } => Err(Unread::NoEnd {
            row: rows.count + 1,
            at,
        }),
        _ => Err(Unread::Found(format!(
            "JSON that breaks off after {} bytes",
            body.bytes
        ))),
    }
}

/// Hands rows on.
struct Rows<F> {
    each: F,
    count: u64,
    /// There was a row that is an object, if a broken one.
    has_object: bool,
    /// There was something that is neither a row nor JSON.
    has_stray: bool,
}

impl<F: FnMut(Box<RawValue>) -> io::Result<()>> Rows<F> {
    fn hand_on(&mut self, row: String) -> Result<(), Unread> {
        let is_object = row.starts_with('{');
        self.has_object |= is_object;
        self.count += 1;
        // Asked for by reference first: what is refused is needed once more.
        let row = match serde_json::from_str::<&RawValue>(&row) {
            Ok(_) => RawValue::from_string(row),
            Err(_) => {
                self.has_stray |= !is_object;
                to_raw_value(&row)
            }
        };
        let row = row.map_err(|error| Unread::Failed(error.into()))?;
        (self.each)(row).map_err(Unread::Failed)
    }

    /// How many there were, if that was a feed at all: an error text may stand in brackets, too.
    fn all(self) -> Result<u64, Unread> {
        match self.has_stray && !self.has_object {
            true => Err(Unread::Found(
                "brackets around something that is no JSON".to_owned(),
            )),
            false => Ok(self.count),
        }
    }
}
