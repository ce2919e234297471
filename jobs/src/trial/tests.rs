use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::{country::CountryCodes, crm_update::CrmMapping, salsa_upsert::SalsaMapping};

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

    fn tries(&self, row: Value) -> Tried {
        let trial = Trial {
            names: &self.names,
            timezone: &TimeZone::UTC,
            anonymous_allowed: false,
            mappings: &self.mappings,
        };
        trial.of(&row)
    }
}

fn row() -> Value {
    json!({"changeId": 7, "xid": "42", "employer": "Acme", "email": "ann@example.org", "shoe_size": 43})
}

fn expecting(crm: Option<Expected>, salsa: Option<Expected>, contains: bool) -> Example {
    Example {
        name: "x".to_owned(),
        row: Value::Null,
        contains,
        expected: [(Destination::Crm, crm), (Destination::Salsa, salsa)]
            .into_iter()
            .filter_map(|(destination, expected)| Some((destination, expected?)))
            .collect(),
    }
}

fn at(tried: &Tried, destination: Destination) -> Result<Mapped, Death> {
    tried.destinations[&destination].clone()
}

fn fields(value: Value) -> Option<Expected> {
    Some(Expected::Fields(value.as_object().unwrap().clone()))
}

#[test]
fn a_row_tells_both_documents_and_what_nothing_maps() {
    let tried = School::new().tries(row());
    assert_eq!(tried.change_id.as_deref(), Some("7"));
    assert_eq!(tried.unmapped, ["shoe_size"]);
    let crm = at(&tried, Destination::Crm).unwrap();
    assert_eq!(crm.document["StudentInstitutionId"], "42");
    let salsa = at(&tried, Destination::Salsa).unwrap();
    assert_eq!(
        Value::from(salsa.document),
        json!({"externalSystemId": "42", "custom.Employer": "Acme"})
    );
    let added = salsa.added.unwrap().unwrap();
    assert_eq!(added["contacts"][0]["value"], "ann@example.org");
    assert_eq!(added["customFieldValues"][0]["name"], "Employer");
}

#[test]
fn a_row_that_would_die_tells_its_class_at_each_destination() {
    let school = School::new();
    let undecodable = school.tries(json!({"changeId": "8", "xid": "1", "city": {"a": 1}}));
    assert_eq!(undecodable.change_id.as_deref(), Some("8"));
    let anonymous = school.tries(json!({"changeId": 9, "city": "Ulm"}));
    for (tried, class) in [
        (undecodable, DeadClass::Undecodable),
        (anonymous, DeadClass::Anonymous),
    ] {
        let crm = at(&tried, Destination::Crm).unwrap_err();
        let salsa = at(&tried, Destination::Salsa).unwrap_err();
        assert_eq!((crm.class, salsa.class), (class, class));
        assert!(!crm.cause.is_empty() && !salsa.advice.is_empty());
    }
    let without_email = school.tries(json!({"changeId": 10, "xid": "1"}));
    let salsa = at(&without_email, Destination::Salsa).unwrap();
    assert_eq!(
        salsa.added.unwrap().unwrap_err().class,
        DeadClass::Validation
    );
}

#[test]
fn a_whole_document_differs_in_what_is_missing_other_and_too_much() {
    let tried = School::new().tries(row());
    let salsa =
        json!({"externalSystemId": "43", "custom.Employer": "Acme", "contacts.WORK_PHONE": "1"});
    let found = differences(&expecting(None, fields(salsa), false), &tried);
    let shown: Vec<_> = found
        .iter()
        .map(|one| {
            (
                one.field.as_deref().unwrap(),
                one.expected.is_some(),
                one.got.is_some(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("externalSystemId", true, true),
            ("contacts.WORK_PHONE", true, false)
        ]
    );
    let found = differences(&expecting(None, fields(json!({})), false), &tried);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|one| one.expected.is_none()));
}

#[test]
fn where_contains_is_set_only_the_named_fields_are_compared() {
    let tried = School::new().tries(row());
    let named = || fields(json!({"StudentInstitutionId": "42"}));
    assert_eq!(differences(&expecting(named(), None, true), &tried), []);
    assert_ne!(differences(&expecting(named(), None, false), &tried), []);
}

#[test]
fn a_dead_letter_is_expected_by_its_class() {
    let school = School::new();
    let dead = |class| Some(Expected::Dead(class));
    let anonymous = school.tries(json!({"changeId": 9}));
    let right = expecting(
        dead(DeadClass::Anonymous),
        dead(DeadClass::Anonymous),
        false,
    );
    assert_eq!(differences(&right, &anonymous), []);
    let wrong = expecting(dead(DeadClass::Validation), fields(json!({})), true);
    let found = differences(&wrong, &anonymous);
    let destinations: Vec<_> = found.iter().map(|one| one.destination).collect();
    assert_eq!(destinations, [Destination::Crm, Destination::Salsa]);
    let lives = differences(&right, &school.tries(row()));
    assert_eq!(lives.len(), 2);
    assert_eq!(lives[0].got, Some(Value::from("a document")));
}

#[test]
fn a_destination_that_is_switched_off_is_not_compared() {
    let mut tried = School::new().tries(row());
    tried.destinations.remove(&Destination::Crm);
    let example = expecting(fields(json!({"Name": "no"})), None, false);
    assert_eq!(differences(&example, &tried), []);
}
