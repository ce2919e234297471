//! From a row's JSON text to its value. A feed is split into rows without looking into them, so that a row
//! that no parser takes is one dead letter and not the end of the fetch.

use std::fmt;

use serde::{
    Deserializer as _,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{FieldNames, MAX_ROW, Undecodable, change_id};

/// Reads a row.
///
/// # Errors
/// When it has more than [`MAX_ROW`] bytes, is a JSON string, as which a row that is no JSON is handed on, or holds what
/// JSON's grammar admits and no program can keep: half of a character (a lone surrogate), a number beyond every range,
/// very deep nesting.
pub fn parse(row: &str, names: &FieldNames) -> Result<Value, Undecodable> {
    if row.len() > MAX_ROW {
        return Err(Undecodable::new(
            format!(
                "the row has {} bytes, at most {MAX_ROW} are allowed",
                row.len()
            ),
            "shorten it in AlumnIQ and fetch it again before a replay: rows that are too long are not kept here",
        ));
    }
    if let Some(text) = broken(row) {
        return Err(not_json(&text, names));
    }
    serde_json::from_str(row).map_err(|error| {
        Undecodable::new(
            format!(
                "the row holds a value that cannot be read {}",
                place(row, names, error.column())
            ),
            "look there for half of an emoji (a text that was cut), a number with a huge exponent or deep nesting, \
             and correct it in AlumnIQ",
        )
    })
}

/// The changeId of a row that has to be a dead letter, also where [`parse`] refuses the row and at least that
/// much of it can be read.
pub fn change_id_of(row: &str, names: &FieldNames) -> Option<String> {
    let broken = broken(row);
    let row = broken.as_deref().unwrap_or(row);
    let row = parse(row, names).ok().or_else(|| readable(row))?;
    change_id(&row, names).ok()
}

/// The text of a row that is no JSON.
fn broken(row: &str) -> Option<String> {
    if !row.starts_with('"') {
        return None;
    }
    let text: String = serde_json::from_str(row).ok()?;
    let is_json = || serde_json::from_str::<&RawValue>(&text).is_ok();
    (text.is_empty() || (text.starts_with('{') && !is_json())).then_some(text)
}

fn not_json(text: &str, names: &FieldNames) -> Undecodable {
    let Err(error) = serde_json::from_str::<&RawValue>(text) else {
        // Not of a text that is broken.
        return Undecodable::new("the row is text, not an object", "correct it in AlumnIQ");
    };
    if text.is_empty() {
        return Undecodable::new(
            "AlumnIQ's answer has a comma too many: no row stands between two commas, or behind the last one",
            "nothing of the other rows is missing; if AlumnIQ's own list shows a change that is not here, ask AlumnIQ's \
             support; otherwise discard this entry",
        );
    }
    Undecodable::new(
        format!(
            "the row isn't valid JSON {}",
            place(text, names, error.column())
        ),
        "look there for a value such as NaN, a comma too many or a quotation mark without its backslash; correct the row \
         in AlumnIQ, or ask AlumnIQ's support to, and fetch it again before a replay",
    )
}

/// Where a row cannot be read. A parser's words may quote the row: only the place is told.
fn place(row: &str, names: &FieldNames, column: usize) -> String {
    match unreadable(row, names).join("`, `").as_str() {
        "" => format!("at its character {column}"),
        fields => format!("in `{fields}`"),
    }
}

/// The row without the values that cannot be read, as far as it is JSON.
fn readable(row: &str) -> Option<Value> {
    let readable: Map<String, Value> = Members::of(row)
        .read
        .into_iter()
        .filter_map(|(key, value)| Some((key, serde_json::from_str(value?.get()).ok()?)))
        .collect();
    (!readable.is_empty()).then(|| readable.into())
}

/// The canonical fields whose values cannot be read.
fn unreadable<'n>(row: &str, names: &'n FieldNames) -> Vec<&'n str> {
    let is_broken = |value: &Option<&RawValue>| {
        value.is_none_or(|value| serde_json::from_str::<Value>(value.get()).is_err())
    };
    Members::of(row)
        .read
        .into_iter()
        .filter(|(_, value)| is_broken(value))
        .filter_map(|(key, _)| names.canonical().nth(names.lookup(&key)?.0))
        .collect()
}

/// The members of a row up to the first flaw in its JSON, which may be the last one's value.
#[derive(Default)]
struct Members<'r> {
    read: Vec<(String, Option<&'r RawValue>)>,
}

impl<'r> Members<'r> {
    fn of(row: &'r str) -> Self {
        let mut members = Self::default();
        // How far it came is in `members`.
        let _ = serde_json::Deserializer::from_str(row).deserialize_map(&mut members);
        members
    }
}

impl<'r> Visitor<'r> for &mut Members<'r> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'r>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key()? {
            self.read.push((key, None));
            let value = map.next_value()?;
            if let Some((_, read)) = self.read.last_mut() {
                *read = Some(value);
            }
        }
        Ok(())
    }
}
