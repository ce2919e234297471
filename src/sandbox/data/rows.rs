//! Rows as AlumnIQ's CFML server would write them.

use jiff::civil::DateTime;
use serde_json::{Map, Value, json};

use super::{
    people::{Constituent, phone},
    words::{EMPLOYERS, PLACES, SECOND_LINES, STREETS, TITLES},
};
use crate::seeded::Seeded;

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// No xid; the email is the person's own, so that matching can find them.
    Anonymous,
    /// The employer is longer than Salsa's custom field allows.
    LongEmployer(usize),
    /// The phone is no phone number.
    Phone,
    /// changedOn is no date.
    ChangedOn,
    /// The xid is an object.
    Xid,
}

/// The text by which the checker finds out which change a document came from.
pub(crate) fn marker(change_id: &str) -> String {
    format!("Unit {change_id}")
}

/// The changeId of the first marker in `text`.
pub(crate) fn marked_change(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("Unit ")?;
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

/// A row, and the row that the repair puts in its place where it cannot be decoded or accepted.
pub(super) fn row(
    change_id: &str,
    person: &Constituent,
    changed_on: DateTime,
    flaw: Flaw,
    rng: &mut Seeded,
) -> (Value, Option<Value>) {
    let good = good_row(change_id, person, changed_on, rng);
    let with = |key: &str, value: Value| {
        let mut row = good.clone();
        row.insert(key.to_owned(), value);
        Value::Object(row)
    };
    let flawed = match flaw {
        Flaw::None => return (Value::Object(good), None),
        Flaw::Anonymous => {
            let mut row = good;
            row.insert("email".to_owned(), json!(person.email));
            row.insert("source".to_owned(), json!("signature"));
            match rng.chance(0.5) {
                true => row.insert("xid".to_owned(), json!("")),
                false => row.shift_remove("xid"),
            };
            return (Value::Object(row), None);
        }
        Flaw::LongEmployer(limit) => {
            let employer = "Example Conglomerate of Everything ".repeat(limit / 35 + 2);
            return (with("employer", json!(employer.trim_end())), None);
        }
        Flaw::Phone => with("phone", json!("ask the front desk")),
        Flaw::ChangedOn => with("changedOn", json!("the day before yesterday")),
        Flaw::Xid => with("xid", json!({ "value": person.xid })),
    };
    (flawed, Some(Value::Object(good)))
}

fn good_row(
    change_id: &str,
    person: &Constituent,
    changed_on: DateTime,
    rng: &mut Seeded,
) -> Map<String, Value> {
    let place = rng.pick(PLACES);
    let employer: &&str = rng.pick(EMPLOYERS);
    let title = format!("{}, {}", rng.pick(TITLES), marker(change_id));
    let source = if rng.chance(0.7) {
        "profile"
    } else {
        "signature"
    };
    let mobile = if rng.chance(0.3) {
        person.mobile.as_str()
    } else {
        ""
    };
    let fields = [
        ("changeId", loose(change_id, rng)),
        ("xid", loose(&person.xid, rng)),
        (
            "changedOn",
            json!(changed_on.strftime("%Y-%m-%d %H:%M:%S").to_string()),
        ),
        ("source", json!(source)),
        ("employer", loose(employer, rng)),
        ("jobTitle", json!(title)),
        ("address1", json!(rng.pick(STREETS))),
        ("address2", json!(rng.pick(SECOND_LINES))),
        ("address3", json!("")),
        ("city", json!(place.city)),
        ("state", json!(place.state)),
        ("stateiso", json!(place.stateiso)),
        ("postalCode", loose(place.postal_code, rng)),
        ("country", json!(place.country)),
        ("countryiso", json!(place.countryiso)),
        ("email", json!(format!("work.{change_id}@example.com"))),
        ("phone", json!(phone(place, rng))),
        ("mobile", json!(mobile)),
        ("fax", json!("")),
        ("division", json!("")),
    ];
    let fields = fields.into_iter();
    fields.map(|(key, value)| (key.to_owned(), value)).collect()
}

/// CFML often writes text that looks like a number as a number, and sometimes does not.
fn loose(text: &str, rng: &mut Seeded) -> Value {
    let as_written = |number: &u64| number.to_string() == text;
    match text.parse::<u64>().ok().filter(as_written) {
        Some(number) if rng.chance(0.9) => json!(number),
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_found_in_any_text() {
        for (text, change) in [
            ("Director, Unit 4711", Some("4711")),
            ("Title: X, Unit 4711; Phone: +1", Some("4711")),
            ("Unit ", None),
            ("nothing", None),
        ] {
            assert_eq!(marked_change(text), change, "{text}");
        }
        assert_eq!(marked_change(&marker("12")), Some("12"));
    }

    #[test]
    fn numbers_with_leading_zeros_stay_text() {
        let mut rng = Seeded::new(1);
        assert!((0..50).all(|_| loose("02139", &mut rng).is_string()));
        assert!((0..50).any(|_| loose("98225", &mut rng).is_number()));
    }
}
