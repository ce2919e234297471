use std::sync::Arc;

use jiff::tz::TimeZone;
use jobs::{
    change::{FieldNames, MAX_FIELD, editing::NEVER_EDITED},
    country::CountryCodes,
    crm_update::CrmMapping,
    destination::Destination,
    salsa_upsert::SalsaMapping,
    trial::{DestinationMapping, DestinationMappings},
};
use proptest::{collection::btree_map, prelude::*, sample::select};
use serde_json::{Value, json};

use super::*;

/// A school that maps as the defaults do.
struct School {
    names: FieldNames,
    mappings: DestinationMappings,
}

impl School {
    fn new() -> Self {
        let names = FieldNames::default();
        let none = BTreeMap::new();
        let crm = CrmMapping::compile(&none, &names, CountryCodes::Alpha3).unwrap();
        let salsa = SalsaMapping::compile(&none, &names).unwrap();
        Self {
            mappings: BTreeMap::from([
                (
                    Destination::Crm,
                    Arc::new(crm) as Arc<dyn DestinationMapping>,
                ),
                (Destination::Salsa, Arc::new(salsa)),
            ]),
            names,
        }
    }

    fn tries(
        &self,
        vendor: Vendor,
        row: &Value,
        edits: &BTreeMap<String, String>,
    ) -> Result<(Value, Option<Value>), Vec<FieldProblem>> {
        let trial = Trial {
            names: &self.names,
            timezone: &TimeZone::UTC,
            anonymous_allowed: false,
            mappings: &self.mappings,
        };
        let record = Record {
            xid: row["xid"].as_str().map(str::to_owned),
            row: to_raw_value(row).unwrap(),
        };
        tried(&trial, vendor, &record, edits)
    }
}

fn edits(edits: &[(&str, &str)]) -> BTreeMap<String, String> {
    let edits = edits.iter();
    edits
        .map(|(field, text)| ((*field).to_owned(), (*text).to_owned()))
        .collect()
}

fn row() -> Value {
    json!({"changeId": 7, "xid": "42", "employer": "Acme", "workPhone": "+12065550100", "email": "ann@example.org"})
}

#[test]
fn an_edit_is_refused_for_what_it_breaks_and_says_where() {
    let school = School::new();
    let long = "x".repeat(MAX_FIELD + 1);
    for (vendor, row, edit, problems) in [
        (
            Vendor::Crm,
            row(),
            edits(&[
                ("changeId", "8"),
                ("xid", "43"),
                ("changedOn", "2026-01-01"),
            ]),
            &[
                ("changeId", "it stays"),
                ("changedOn", "it stays"),
                ("xid", "it stays"),
            ][..],
        ),
        (
            Vendor::Salsa,
            row(),
            edits(&[("shoeSize", "44"), ("employer", &long)]),
            &[("employer", "64 KiB"), ("shoeSize", "no such field")],
        ),
        // An alias is no canonical name: it could be meant for two of them.
        (
            Vendor::Crm,
            row(),
            edits(&[("workPhone", "1")]),
            &[("workPhone", "no such field")],
        ),
        // The edited row would be a dead letter again.
        (
            Vendor::Crm,
            row(),
            edits(&[("email", "no address")]),
            &[("email", "EmailAddress2")],
        ),
        (
            Vendor::Crm,
            json!({"changeId": 7, "employer": "Acme"}),
            edits(&[("employer", "Bell")]),
            &[("", "no constituent")],
        ),
        // Another field than the edited one stands in the way.
        (
            Vendor::Alumniq,
            json!({"changeId": 7, "xid": "42", "employer": ["Acme"]}),
            edits(&[("jobTitle", "Engineer")]),
            &[("employer", "employer")],
        ),
        (
            Vendor::Alumniq,
            json!(["no object"]),
            edits(&[("jobTitle", "Engineer")]),
            &[("row", "no object")],
        ),
    ] {
        let told = school.tries(vendor, &row, &edit).unwrap_err();
        let fields: Vec<&str> = told.iter().map(|problem| problem.field.as_str()).collect();
        let expected: Vec<&str> = problems.iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, expected, "{edit:?}: {told:?}");
        for (problem, (_, words)) in told.iter().zip(problems) {
            assert!(problem.problem.contains(words), "{problem:?}");
        }
    }
}

#[test]
fn a_good_edit_shows_what_each_destination_gets() {
    let school = School::new();
    let edit = edits(&[("phone", " +12065550199 "), ("employer", "Bell")]);
    let (edited, document) = school.tries(Vendor::Crm, &row(), &edit).unwrap();
    let expected = json!({"changeId": 7, "xid": "42", "employer": "Bell", "workPhone": "+12065550199", "email": "ann@example.org"});
    assert_eq!(edited, expected);
    let document = document.unwrap();
    assert_eq!(document["StudentInstitutionId"], "42");
    assert_eq!(document["PhoneWork"], "+12065550199");

    let (_, document) = school.tries(Vendor::Salsa, &row(), &edit).unwrap();
    assert_eq!(document.unwrap()["custom.Employer"], "Bell");
    let (_, document) = school.tries(Vendor::Alumniq, &row(), &edit).unwrap();
    assert_eq!(document, None, "AlumnIQ gets no document");
}

#[test]
fn a_row_that_could_not_be_decoded_is_mended_by_an_edit_of_what_was_wrong() {
    let school = School::new();
    let broken = json!({"changeId": 7, "xid": "42", "employer": ["Acme"]});
    let edit = edits(&[("employer", "Acme")]);
    let (edited, _) = school.tries(Vendor::Alumniq, &broken, &edit).unwrap();
    assert_eq!(
        edited,
        json!({"changeId": 7, "xid": "42", "employer": "Acme"})
    );
}

fn any_edits() -> impl Strategy<Value = BTreeMap<String, String>> {
    let canonical: Vec<String> = FieldNames::default()
        .canonical()
        .map(str::to_owned)
        .collect();
    let field = prop_oneof![8 => select(canonical), 1 => "\\PC{0,8}"];
    let text = prop_oneof![
        3 => "\\PC{0,30}",
        1 => "[\\x00-\\x20\u{202e}\u{200b}]{0,5}",
        1 => select(vec!["", "ann@example.org", "+12065550100", "null", "{{ 7 * 7 }}", "2026-02-30"])
            .prop_map(str::to_owned),
    ];
    btree_map(field, text, 0..5)
}

proptest! {
    /// Whatever is typed, the change stays the same change, and what was not edited stays as it was.
    #[test]
    fn an_edit_touches_what_it_names_and_nothing_else(edits in any_edits(), vendor in select(Vendor::ALL.to_vec())) {
        let school = School::new();
        let was = row();
        match school.tries(vendor, &was, &edits) {
            Ok((edited, _)) => {
                let read = |row: &Value| change::decode(row, &school.names, &TimeZone::UTC).unwrap();
                let (before, after) = (read(&was), read(&edited));
                prop_assert_eq!(&after.change_id, &before.change_id);
                prop_assert_eq!(&after.xid, &before.xid);
                prop_assert_eq!(&after.order, &before.order);
                for name in school.names.canonical().filter(|name| !edits.contains_key(*name)) {
                    prop_assert_eq!(after.fields.get(name), before.fields.get(name), "{}", name);
                }
                for (name, text) in &edits {
                    let read = after.fields.get(name).map_or("", String::as_str);
                    prop_assert_eq!(read, text.trim(), "{}", name);
                }
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                let refused = edits.keys().any(|field| NEVER_EDITED.contains(&field.as_str()));
                prop_assert!(!refused || problems.iter().any(|problem| NEVER_EDITED.contains(&problem.field.as_str())));
            }
        }
    }
}
