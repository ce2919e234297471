use serde_json::json;

use super::supporter;
use crate::salsa_upsert::{Supporter, put_body};

#[test]
fn a_record_is_read_in_either_spelling() {
    for record in [
        json!({"lastModified": "t", "address": {"line1": "1 A St", "line2": "B", "lattitude": 1.5, "federalDistrict": "NY-1"}}),
        json!({"lastModifiedDate": "t", "address": {"addressLine1": "1 A St", "addressLine2": "B", "latitude": "1.5", "federalHouseDistrict": "NY-1"}}),
    ] {
        let read = supporter(&record);
        assert_eq!(read.census_field("lastModified"), Some("t"));
        assert_eq!(read.address_field("addressLine1"), Some("1 A St"));
        assert_eq!(read.address_field("addressLine2"), Some("B"));
        assert_eq!(read.address_field("latitude"), Some("1.5"));
        assert_eq!(read.address_field("federalHouseDistrict"), Some("NY-1"));
    }
}

#[test]
fn numbers_are_text_and_nulls_blanks_and_wrong_types_are_absent() {
    let read = supporter(&json!({
        "supporterId": "s", "externalSystemId": 96548, "title": null, "firstName": "  ", "lastName": ["x"],
        "address": "none", "unheardOf": {"deep": 1},
        "contacts": [
            null, 7, {"type": "EMAIL"}, {"value": "x"}, {"type": "WORK_PHONE", "value": ""},
            {"type": "email", "value": "ada@example.org", "status": "OPT_OUT"},
            {"type": "EMAIL", "value": "second@example.org"},
            {"type": "FACEBOOK_ID", "value": 123},
        ],
        "customFieldValues": [false, {"fieldId": "f", "name": "Year", "value": 1999, "type": "NUMBER"}],
    }));
    assert_eq!(read.external_id(), Some("96548"));
    assert_eq!(read.census_field("title"), None);
    assert_eq!(read.census_field("firstName"), None);
    assert_eq!(read.census_field("lastName"), None);
    assert_eq!(read.email(), Some("ada@example.org"));
    assert_eq!(read.email_status(), Some("OPT_OUT"));
    assert_eq!(read.contact("WORK_PHONE"), None);
    assert_eq!(read.contact("FACEBOOK_ID"), Some("123"));
    assert_eq!(read.custom_field("Year"), Some("1999"));
    for record in [json!(null), json!([]), json!("x"), json!(1)] {
        assert_eq!(Supporter::read(&record), None);
    }
}

#[test]
fn what_is_not_updateable_is_never_sent_back() {
    let read = supporter(&json!({
        "supporterId": "s", "result": "FOUND", "createdDate": "c", "lastModified": "m",
        "address": {
            "city": "Anytown", "federalDistrict": "1", "stateHouseDistrict": "2", "stateSenateDistrict": "3",
            "countyDistrict": "4", "municipalityDistrict": "5", "lattitude": 6, "longitude": 7,
        },
        "contacts": [
            {"type": "CELL_PHONE", "value": "555-555-5555"},
            {"type": "NEW_NETWORK", "value": "x"},
            {"type": "EMAIL", "value": "ada@example.org", "status": "OPT_IN"},
        ],
    }));
    assert_eq!(
        put_body([&read]).to_string(),
        r#"{"payload":{"supporters":[{"supporterId":"s","address":{"city":"Anytown"},"contacts":[{"type":"EMAIL","value":"ada@example.org"},{"type":"CELL_PHONE","value":"555-555-5555"},{"type":"NEW_NETWORK","value":"x"}]}]}}"#
    );
}

#[test]
fn debug_output_shows_no_value() {
    let read = supporter(&json!({
        "supporterId": "s3cret", "firstName": "s3cret", "address": {"city": "s3cret"},
        "contacts": [{"type": "EMAIL", "value": "s3cret@example.org"}],
        "customFieldValues": [{"name": "Employer", "value": "s3cret"}],
    }));
    let shown = format!("{read:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("firstName"), "{shown}");
}
