//! A row whose fields a person has changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{FieldNames, MAX_FIELD, Row, field_text, is_blank};

/// What names a change and puts it in order: an edit of it would make it another change.
pub const NEVER_EDITED: [&str; 3] = ["changeId", "xid", "changedOn"];

/// A field of a row, as an edit begins with it. Holds personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Editable {
    /// Its canonical name.
    pub name: String,
    /// Its text; empty where the row has none, or none that can be read.
    pub text: String,
    /// Why its value cannot be read: whatever is written over it takes its place.
    pub unreadable: Option<String>,
}

/// Every canonical field of `row`, in the order of the names; none where the row is no object.
pub fn editable(row: &Value, names: &FieldNames) -> Vec<Editable> {
    let Ok(row) = Row::read(row, names) else {
        return Vec::new();
    };
    let fields = names.canonical().zip(&row.values);
    fields
        .map(|(name, value)| {
            let (text, unreadable) = match value.map(|(_, value)| field_text(name, value)) {
                None => (String::new(), None),
                Some(Ok(text)) => (text.into_owned(), None),
                Some(Err(why)) => (String::new(), Some(why.to_string())),
            };
            Editable {
                name: name.to_owned(),
                text,
                unreadable,
            }
        })
        .collect()
}

/// `row` with `edits` (canonical field -> new text, blank = taken away). A value goes under the key that the field was
/// read from; a field that the row lacks goes under its canonical name, or the preferred key where the school's keys
/// are others. What else the row holds stays as it is.
///
/// # Errors
/// Every field that cannot be edited so, and why.
pub fn edited(
    row: &Value,
    names: &FieldNames,
    edits: &BTreeMap<String, String>,
) -> Result<Value, Vec<(String, &'static str)>> {
    let mut row = row.clone();
    let Value::Object(entries) = &mut row else {
        let problem = "the row is no object: correct it in AlumnIQ";
        return Err(vec![("row".to_owned(), problem)]);
    };
    let mut problems = Vec::new();
    for (field, text) in edits {
        let Some(position) = names.canonical().position(|name| name == field) else {
            problems.push((field.clone(), "there is no such field"));
            continue;
        };
        if NEVER_EDITED.contains(&field.as_str()) {
            problems.push((field.clone(), "it says which change this is: it stays"));
            continue;
        }
        if text.len() > MAX_FIELD {
            problems.push((field.clone(), "it is longer than 64 KiB"));
            continue;
        }
        let rank = |key: &str| {
            names
                .lookup(key)
                .filter(|(found, _)| *found == position)
                .map(|(_, rank)| rank)
        };
        let winner = entries
            .iter()
            .filter(|(_, value)| !is_blank(value))
            .filter_map(|(key, _)| Some((rank(key)?, key.clone())))
            .min_by_key(|(rank, _)| *rank);
        let text = text.trim();
        match winner {
            // A value that another key still held would come up in its place.
            _ if text.is_empty() => {
                for (key, value) in entries.iter_mut() {
                    if rank(key).is_some() {
                        *value = Value::from("");
                    }
                }
            }
            Some((_, key)) => {
                entries.insert(key, text.into());
            }
            None => {
                let preferred = names.keys(field).first().unwrap_or(field);
                let key = match rank(field) {
                    Some(_) => field,
                    None => preferred,
                };
                entries.insert(key.clone(), text.into());
            }
        }
    }
    match problems.is_empty() {
        true => Ok(row),
        false => Err(problems),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edits(edits: &[(&str, &str)]) -> BTreeMap<String, String> {
        let edits = edits.iter();
        edits
            .map(|(field, text)| ((*field).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn an_edit_goes_where_the_field_was_read_from() {
        let names = FieldNames::default();
        for (row, edit, expected) in [
            (
                json!({"changeId": 1, "EMPLOYER": "Acme", "x": [1]}),
                ("employer", " Bell "),
                json!({"changeId": 1, "EMPLOYER": "Bell", "x": [1]}),
            ),
            (
                json!({"phone": " ", "workPhone": "1"}),
                ("phone", "2"),
                json!({"phone": " ", "workPhone": "2"}),
            ),
            (
                json!({"changeId": 1}),
                ("employer", "Bell"),
                json!({"changeId": 1, "employer": "Bell"}),
            ),
            (
                json!({"phone": "1", "workPhone": "2"}),
                ("phone", ""),
                json!({"phone": "", "workPhone": ""}),
            ),
        ] {
            let edited = edited(&row, &names, &edits(&[edit])).unwrap();
            assert_eq!(edited, expected, "{row} {edit:?}");
        }
    }

    #[test]
    fn an_edit_begins_with_what_was_read_and_names_what_could_not_be() {
        let names = FieldNames::default();
        let row = json!({"changeId": 41.0, "workPhone": " 1 ", "fax": {"x": 1}, "x": 2});
        let fields = editable(&row, &names);
        let all: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(all, names.canonical().collect::<Vec<_>>());
        let field = |name: &str| {
            let field = fields.iter().find(|field| field.name == name).unwrap();
            (field.text.as_str(), field.unreadable.as_deref())
        };
        assert_eq!(field("changeId"), ("41", None));
        assert_eq!(field("phone"), ("1", None));
        assert_eq!(field("city"), ("", None));
        assert_eq!(field("fax"), ("", Some("is an object, not a plain value")));
        assert!(editable(&json!([]), &names).is_empty());
    }

    #[test]
    fn what_says_which_change_it_is_stays_and_every_problem_is_named() {
        let long = "x".repeat(MAX_FIELD + 1);
        let wanted = edits(&[
            ("changeId", "2"),
            ("xid", "2"),
            ("changedOn", "2026-01-01"),
            ("shoeSize", "44"),
            ("employer", &long),
            ("city", "Bonn"),
        ]);
        let problems = edited(&json!({}), &FieldNames::default(), &wanted).unwrap_err();
        let fields: Vec<&str> = problems.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(
            fields,
            ["changeId", "changedOn", "employer", "shoeSize", "xid"]
        );
        assert!(edited(&json!([]), &FieldNames::default(), &edits(&[])).is_err());
    }
}
