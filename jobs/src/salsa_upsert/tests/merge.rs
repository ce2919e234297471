use serde_json::{Value, json};

use super::{dead, patch, supporter};
use crate::{
    outcome::DeadClass,
    salsa_upsert::{merge, put_body},
};

const ADDRESS: [(&str, &str); 4] = [
    ("address.addressLine1", "{{ address1 }}"),
    ("address.city", "{{ city }}"),
    ("address.state", "{{ stateiso }}"),
    ("address.country", "{{ countryiso }}"),
];

/// A supporter as Salsa's page shows one, with everything that a PUT must not repeat.
fn current() -> Value {
    json!({
        "supporterId": "1f4d3ee4-af08-42bb-8ca2-50fc232e7b40", "result": "FOUND",
        "title": "Mr", "firstName": "John", "middleName": "James", "lastName": "Smith", "suffix": "Jr.",
        "dateOfBirth": "2016-05-27T04:00:00.000Z", "gender": "MALE",
        "createdDate": "2016-05-27T14:02:10.780Z", "lastModified": "2016-05-27T14:02:10.809Z",
        "externalSystemId": "96548", "timezone": "EST",
        "address": {
            "line1": "123 Main St", "line2": "Suite 200", "city": "Anytown", "state": "NY", "postalCode": "10001",
            "county": "New York", "country": "US", "lattitude": 40.7, "federalDistrict": "NY-10",
        },
        "contacts": [
            {"type": "CELL_PHONE", "value": "555-555-5555"},
            {"type": "WORK_PHONE", "value": "555-555-5555"},
            {"type": "EMAIL", "value": "email@mail.com", "status": "OPT_OUT"},
        ],
        "customFieldValues": [
            {"fieldId": "aa90e308-c2e6-48d8-834a-e9a516fa0a31", "name": "Employer", "value": "Old", "type": "STRING"},
            {"fieldId": "b92c4b69-f927-4224-85a2-edace8ffeff7", "name": "Shoe size", "value": "9", "type": "STRING"},
        ],
    })
}

fn row() -> Value {
    json!({
        "changeId": "c-1", "xid": "96548", "employer": "Initech", "jobTitle": "Chair", "phone": "+12065550123",
        "address1": "4 Elm St", "city": "Seattle", "stateiso": "WA", "countryiso": "US", "email": "john@initech.example",
    })
}

#[test]
fn an_update_sends_the_whole_supporter_with_the_change_laid_over_it() {
    let document = merge(
        Some(&supporter(&current())),
        &patch(&ADDRESS, &row()),
        false,
    )
    .unwrap();
    let expected = r#"{
  "payload": {
    "supporters": [
      {
        "supporterId": "1f4d3ee4-af08-42bb-8ca2-50fc232e7b40",
        "title": "Mr",
        "firstName": "John",
        "middleName": "James",
        "lastName": "Smith",
        "suffix": "Jr.",
        "dateOfBirth": "2016-05-27T04:00:00.000Z",
        "gender": "MALE",
        "externalSystemId": "96548",
        "address": {
          "addressLine1": "4 Elm St",
          "addressLine2": "Suite 200",
          "city": "Seattle",
          "state": "WA",
          "postalCode": "10001",
          "county": "New York",
          "country": "US"
        },
        "contacts": [
          {
            "type": "EMAIL",
            "value": "email@mail.com"
          },
          {
            "type": "CELL_PHONE",
            "value": "555-555-5555"
          },
          {
            "type": "WORK_PHONE",
            "value": "+12065550123"
          }
        ],
        "customFieldValues": [
          {
            "fieldId": "aa90e308-c2e6-48d8-834a-e9a516fa0a31",
            "value": "Initech"
          },
          {
            "name": "Job Title",
            "value": "Chair"
          }
        ]
      }
    ]
  }
}"#;
    assert_eq!(
        serde_json::to_string_pretty(&put_body([&document])).unwrap(),
        expected
    );
}

#[test]
fn an_address_that_the_change_does_not_touch_is_not_sent() {
    let current = supporter(&current());
    let untouched = json!({"changeId": 1, "xid": 96548, "phone": "+12065550123"});
    for (map, row) in [(&ADDRESS[..], &untouched), (&[], &row())] {
        let document = merge(Some(&current), &patch(map, row), false).unwrap();
        assert_eq!(document.document().get("address"), None);
    }
}

#[test]
fn a_blank_field_of_the_row_leaves_salsas_value() {
    let row =
        json!({"changeId": 1, "xid": 96548, "employer": "", "phone": null, "city": "Seattle"});
    let document = merge(Some(&supporter(&current())), &patch(&ADDRESS, &row), false).unwrap();
    assert_eq!(document.contact("WORK_PHONE"), Some("555-555-5555"));
    assert_eq!(document.address_field("addressLine1"), Some("123 Main St"));
    assert_eq!(document.address_field("city"), Some("Seattle"));
    assert_eq!(document.document().get("customFieldValues"), None);
}

#[test]
fn what_salsa_gave_is_not_judged_again() {
    let mut current = current();
    current["gender"] = "NONBINARY".into();
    current["address"]["state"] = "Bavaria".into();
    let row = json!({"changeId": 1, "xid": 96548, "city": "Seattle"});
    let document = merge(Some(&supporter(&current)), &patch(&ADDRESS, &row), false).unwrap();
    assert_eq!(document.address_field("state"), Some("Bavaria"));
    assert_eq!(document.census_field("gender"), Some("NONBINARY"));
}

#[test]
fn nobody_is_unmatched_unless_missing_supporters_are_created() {
    let patch = patch(&[], &row());
    let (class, cause) = dead(merge(None, &patch, false));
    assert_eq!(class, DeadClass::Unmatched);
    assert_eq!(cause, "no supporter has this externalSystemId");
    let added = merge(None, &patch, true).unwrap();
    assert_eq!(added.id(), None);
    assert_eq!(added.external_id(), Some("96548"));
    assert_eq!(added.email(), Some("john@initech.example"));
    assert!(!added.document().to_string().contains("status"));
}

#[test]
fn nobody_is_added_without_a_valid_email() {
    let mut row = row();
    row["email"] = "john at initech".into();
    let (class, cause) = dead(merge(None, &patch(&[], &row), true));
    assert_eq!(class, DeadClass::Validation);
    assert!(
        cause.ends_with("the work email must be a valid email address"),
        "{cause}"
    );
    row["email"] = "".into();
    let (class, cause) = dead(merge(None, &patch(&[], &row), true));
    assert_eq!(class, DeadClass::Validation);
    assert!(cause.contains("EMAIL"), "{cause}");
}

#[test]
fn a_supporter_without_email_is_invalid_unless_the_mapping_sets_one() {
    let mut current = current();
    current["contacts"] = json!([{"type": "CELL_PHONE", "value": "555"}]);
    let current = supporter(&current);
    let (class, cause) = dead(merge(Some(&current), &patch(&[], &row()), true));
    assert_eq!(class, DeadClass::Validation);
    assert!(cause.contains("no EMAIL contact"), "{cause}");
    let mapped = patch(&[("contacts.EMAIL", "{{ email }}")], &row());
    let document = merge(Some(&current), &mapped, false).unwrap();
    assert_eq!(
        document.document()["contacts"][0]["value"],
        "john@initech.example"
    );
}
