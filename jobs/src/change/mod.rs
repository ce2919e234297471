//! An AlumnIQ row, tolerantly decoded: any field may be text, a number or a boolean; `""`, blanks and
//! `null` are absent; keys are compared without regard to case; unknown keys are kept by name.

mod changed_on;
pub mod editing;
mod json;
mod names;

use std::{borrow::Cow, collections::BTreeMap, fmt};

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

pub use self::{
    json::{change_id_of, parse},
    names::{FieldNames, FieldNamesError},
};
use crate::order::order_key;

/// Most characters of a changeId, and of an xid.
pub const MAX_CHANGE_ID: usize = 200;
/// Most bytes of one field.
pub const MAX_FIELD: usize = 64 * 1024;
/// Most bytes of a whole row as JSON text: more than all canonical fields at their longest.
pub const MAX_ROW: usize = 2 * 1024 * 1024;

/// Stands where a feed's bytes are no text in its charset: a character that no text may hold, so that the one field that
/// has it cannot be read. A replacement character would pass for text.
pub const UNDECODABLE: char = '\u{fdd0}';

/// What holds codes and names of places, of which NO is Norway's: CFML writes the text NO as `false`.
const PLACES: [&str; 4] = ["state", "stateiso", "country", "countryiso"];

/// Floating-point numbers above this may have lost digits.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Unknown keys are shown up to this many characters.
const SHOWN_KEY: usize = 80;

/// What the queue must know of a change: which one, whose, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeIdentity {
    /// The changeId as text, fit to stand in a comma-delimited list.
    pub change_id: String,
    /// The constituent; `None` for an anonymous change.
    pub xid: Option<String>,
    /// See [`crate::order`].
    pub order: String,
}

/// A decoded row. Its `Debug` output names fields and shows none of their values.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The changeId as text.
    pub change_id: String,
    /// The constituent; `None` for an anonymous change.
    pub xid: Option<String>,
    /// See [`crate::order`].
    pub order: String,
    /// Canonical field -> its text, trimmed and never empty. Holds changeId and xid too. `changedOn`
    /// is ISO 8601 with the campus offset, whatever form it arrived in.
    pub fields: BTreeMap<String, String>,
    /// Row keys that no canonical field accepts and that hold something, in the row's order.
    pub unmapped: Vec<String>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("change_id", &self.change_id)
            .field("xid", &self.xid)
            .field("order", &self.order)
            .field("fields", &self.fields.keys().collect::<Vec<_>>())
            .field("unmapped", &self.unmapped)
            .finish()
    }
}

/// Why a row cannot be worked on. Quotes none of its values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}; {advice}")]
pub struct Undecodable {
    /// What is wrong.
    pub cause: String,
    /// What a person can do about it.
    pub advice: String,
}

impl Undecodable {
    fn new(cause: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            advice: advice.into(),
        }
    }
}

/// Reads the row's changeId alone, so that a row that cannot be decoded can still be named.
///
/// # Errors
/// When the row is no object or has no changeId that can stand in a comma-delimited list.
pub fn change_id(row: &Value, names: &FieldNames) -> Result<String, Undecodable> {
    Row::read(row, names)?.change_id()
}

/// Reads what a producer needs. Fields other than changeId, xid and changedOn cannot make it fail.
///
/// # Errors
/// When the row is no object or one of those three cannot be read.
pub fn identify(
    row: &Value,
    names: &FieldNames,
    tz: &TimeZone,
) -> Result<ChangeIdentity, Undecodable> {
    Row::read(row, names)?
        .identity(tz)
        .map(|(identity, _)| identity)
}

/// Reads what a consumer needs.
///
/// # Errors
/// As [`identify`], and when a known field is an object, an array, a number too large to be exact,
/// or longer than [`MAX_FIELD`] bytes; all such fields are named at once.
pub fn decode(row: &Value, names: &FieldNames, tz: &TimeZone) -> Result<Change, Undecodable> {
    let row = Row::read(row, names)?;
    let (
        ChangeIdentity {
            change_id,
            xid,
            order,
        },
        changed_on,
    ) = row.identity(tz)?;

    let mut fields = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, value) in names.canonical().zip(&row.values) {
        match value.map(|(_, value)| field_text(name, value)) {
            None => {}
            Some(Ok(text)) => {
                fields.insert(name.to_owned(), text.into_owned());
            }
            Some(Err(why)) => problems.push(format!("field `{name}` {why}")),
        }
    }
    if !problems.is_empty() {
        return Err(Undecodable::new(
            problems.join("; "),
            "correct the row in AlumnIQ, or point `alumniq.fields` at keys that hold plain values",
        ));
    }
    if let Some(instant) = changed_on {
        let local = instant.to_zoned_datetime(tz.clone());
        fields.insert(
            "changedOn".to_owned(),
            local.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string(),
        );
    }
    Ok(Change {
        change_id,
        xid,
        order,
        fields,
        unmapped: row.unmapped.into_iter().map(shown_key).collect(),
    })
}

/// What of a row is ever applied, in one form however AlumnIQ writes it: the order and case of its keys, a number
/// instead of a text, and keys that no field accepts make no difference. A row without fields is its own content.
pub fn content(row: &Value, names: &FieldNames) -> String {
    let Ok(row) = Row::read(row, names) else {
        return row.to_string();
    };
    let fields: BTreeMap<&str, String> = names
        .canonical()
        .zip(&row.values)
        .filter_map(|(name, value)| {
            let (_, value) = (*value)?;
            let text = text(value).map_or_else(|_| value.to_string(), Cow::into_owned);
            Some((name, text))
        })
        .collect();
    serde_json::json!(fields).to_string()
}

/// A row sorted into its canonical fields, its values not yet looked into.
struct Row<'r> {
    names: &'r FieldNames,
    /// By position of the canonical field: the rank of the key that won, and its value (never blank).
    values: Vec<Option<(usize, &'r Value)>>,
    unmapped: Vec<&'r str>,
}

impl<'r> Row<'r> {
    fn read(row: &'r Value, names: &'r FieldNames) -> Result<Self, Undecodable> {
        let Value::Object(entries) = row else {
            return Err(Undecodable::new(
                format!("the row is {}, not an object", kind(row)),
                "compare the feed with AlumnIQ's report \"Daily: Work Contact Info Updates\" and ask AlumnIQ's support",
            ));
        };
        let mut values = vec![None; names.len()];
        let mut unmapped = Vec::new();
        for (key, value) in entries.iter().filter(|(_, value)| !is_blank(value)) {
            match names.lookup(key) {
                None => unmapped.push(key.as_str()),
                Some((field, rank)) => match values[field] {
                    Some((better, _)) if better <= rank => {}
                    _ => values[field] = Some((rank, value)),
                },
            }
        }
        Ok(Self {
            names,
            values,
            unmapped,
        })
    }

    fn value(&self, canonical: &str) -> Option<&'r Value> {
        let position = self.names.canonical().position(|name| name == canonical)?;
        self.values[position].map(|(_, value)| value)
    }

    fn change_id(&self) -> Result<String, Undecodable> {
        let Some(value) = self.value("changeId") else {
            let keys = self.names.keys("changeId").join("`, `");
            return Err(Undecodable::new(
                format!("the row has no changeId (looked under `{keys}`)"),
                "name the school's key in `alumniq.fields.changeId`",
            ));
        };
        let wrong = |why: &str| {
            Undecodable::new(
                format!("the changeId {why}"),
                "ask AlumnIQ's support about this row: without a proper changeId it cannot be acknowledged",
            )
        };
        if value.is_boolean() || value.as_f64().is_some_and(|number| number.fract() != 0.0) {
            return Err(wrong("is neither text nor a whole number"));
        }
        let id = text(value).map_err(|why| wrong(&why.to_string()))?;
        if is_too_long(&id) {
            return Err(wrong(&format!("has more than {MAX_CHANGE_ID} characters")));
        }
        if id.contains(|c: char| c == ',' || c.is_whitespace() || c.is_control()) {
            return Err(wrong(
                "contains a comma, a blank or a control character, which a comma-delimited list cannot carry",
            ));
        }
        Ok(id.into_owned())
    }

    fn identity(&self, tz: &TimeZone) -> Result<(ChangeIdentity, Option<Timestamp>), Undecodable> {
        let change_id = self.change_id()?;
        let wrong = |why: &str| {
            Undecodable::new(
                format!("the xid {why}"),
                "correct the constituent's xid in AlumnIQ, or name the right key in `alumniq.fields.xid`",
            )
        };
        let xid = self.value("xid").map(text).transpose();
        let xid = xid.map_err(|why| wrong(&why.to_string()))?;
        if xid.as_ref().is_some_and(|xid| is_too_long(xid)) {
            return Err(wrong(&format!("has more than {MAX_CHANGE_ID} characters")));
        }
        if xid
            .as_ref()
            .is_some_and(|xid| xid.contains(char::is_control))
        {
            return Err(wrong("contains a line break or another control character"));
        }
        let unordered = |why: &str| {
            Undecodable::new(
                format!("changedOn {why}, so the change cannot be put in order"),
                "it must be an ISO 8601 date or time between 1970 and 9999, CFML's {ts '…'} form, or epoch seconds \
                 or milliseconds; name another key in `alumniq.fields.changedOn`, or give it an empty list to go by changeId alone",
            )
        };
        let changed_on = match self.value("changedOn").map(text) {
            None => None,
            Some(Err(why)) => return Err(unordered(&why.to_string())),
            Some(Ok(text)) => Some(
                changed_on::parse(&text, tz)
                    .ok_or_else(|| unordered("is no date that can be read"))?,
            ),
        };
        let identity = ChangeIdentity {
            order: order_key(changed_on.map(|moment| moment.order), &change_id),
            xid: xid.map(Cow::into_owned),
            change_id,
        };
        Ok((identity, changed_on.map(|moment| moment.at)))
    }
}

/// Why a field has no text.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("is {0}, not a plain value")]
    Nested(&'static str),
    #[error("is a number too large to be read exactly (AlumnIQ should send it as text)")]
    Inexact,
    #[error("has {0} bytes, at most {MAX_FIELD} are allowed")]
    TooLong(usize),
    #[error(
        "holds bytes that are no text in the charset that AlumnIQ declares (UTF-8 where it declares none)"
    )]
    Undecodable,
}

/// The text of a field's value, as it was before CFML wrote it.
fn field_text<'v>(name: &str, value: &'v Value) -> Result<Cow<'v, str>, Unreadable> {
    let text = text(value)?;
    match PLACES.contains(&name) && text.eq_ignore_ascii_case("false") {
        true => Ok(Cow::Borrowed("NO")),
        false => Ok(text),
    }
}

/// The text of a value that is not blank. CFML turns numeric-looking text into numbers, so a whole
/// number has no decimals: `98225.0` is `98225`.
fn text(value: &Value) -> Result<Cow<'_, str>, Unreadable> {
    match value {
        Value::String(text) if text.trim().len() > MAX_FIELD => {
            Err(Unreadable::TooLong(text.trim().len()))
        }
        Value::String(text) if text.contains(UNDECODABLE) => Err(Unreadable::Undecodable),
        Value::String(text) => Ok(Cow::Borrowed(text.trim())),
        Value::Bool(flag) => Ok(Cow::Owned(flag.to_string())),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.abs() >= EXACT => Err(Unreadable::Inexact),
            Some(float) if number.is_f64() => Ok(Cow::Owned(float.to_string())),
            _ => Ok(Cow::Owned(number.to_string())),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => Err(Unreadable::Nested(kind(value))),
    }
}

fn is_too_long(id: &str) -> bool {
    id.chars().nth(MAX_CHANGE_ID).is_some()
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn shown_key(key: &str) -> String {
    match key.char_indices().nth(SHOWN_KEY) {
        Some((end, _)) => format!("{}…", &key[..end]),
        None => key.to_owned(),
    }
}

#[cfg(test)]
mod tests;
