//! From a row's JSON text to its value. A feed is split into rows without looking into them, so that a row
//! that no parser takes is one dead letter and not the end of the fetch.

use std::collections::BTreeMap;

use serde_json::{Map, Value, value::RawValue};

use super::{FieldNames, MAX_ROW, Undecodable, change_id};

/// Reads a row.
///
/// # Errors
/// When it has more than [`MAX_ROW`] bytes, or holds what JSON's grammar admits and no program can keep: half
/// of a character (a lone surrogate), a number beyond every range, very deep nesting.
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
    serde_json::from_str(row).map_err(|error| {
        // The parser's words may quote the row: only the place is told.
        let place = match unreadable(row, names).join("`, `").as_str() {
            "" => format!("at its character {}", error.column()),
            fields => format!("in `{fields}`"),
        };
        Undecodable::new(
            format!("the row holds a value that cannot be read {place}"),
            "look there for half of an emoji (a text that was cut), a number with a huge exponent or deep nesting, \
             and correct it in AlumnIQ",
        )
    })
}

/// The changeId of a row that has to be a dead letter, also where [`parse`] refuses the row and at least that
/// much of it can be read.
pub fn change_id_of(row: &str, names: &FieldNames) -> Option<String> {
    let row = parse(row, names).ok().or_else(|| readable(row))?;
    change_id(&row, names).ok()
}

/// The row without the values that cannot be read.
fn readable(row: &str) -> Option<Value> {
    let members = members(row)?.into_iter();
    let readable: Map<String, Value> = members
        .filter_map(|(key, value)| Some((key, serde_json::from_str(value.get()).ok()?)))
        .collect();
    Some(readable.into())
}

/// The canonical fields whose values cannot be read.
fn unreadable<'n>(row: &str, names: &'n FieldNames) -> Vec<&'n str> {
    let is_broken = |value: &RawValue| serde_json::from_str::<Value>(value.get()).is_err();
    members(row)
        .into_iter()
        .flatten()
        .filter(|(_, value)| is_broken(value))
        .filter_map(|(key, _)| names.canonical().nth(names.lookup(&key)?.0))
        .collect()
}

fn members(row: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(row).ok()
}
