use serde_json::json;

use super::{change, dead, mapping, overrides, patch};
use crate::{
    change::FieldNames,
    mapping::MapValue,
    outcome::DeadClass,
    salsa_upsert::{IdentifierType, SalsaMapping, SupporterKey, merge},
};

fn errors(map: &[(&str, &str)]) -> Vec<String> {
    SalsaMapping::compile(&overrides(map), &FieldNames::default())
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn by_default_phone_employer_and_title_are_mapped_and_the_address_is_not() {
    let patch = patch(
        &[],
        &json!({
            "changeId": 1, "xid": "42", "phone": "+12065550123", "employer": "Åse & Søn", "jobTitle": "Chair",
            "email": "ada@work.example", "address1": "1 Main St", "city": "Anytown", "stateiso": "NY",
        }),
    );
    assert!(*patch.key() == SupporterKey::ExternalId("42".into()));
    let document = merge(None, &patch, true).unwrap().document();
    assert_eq!(
        document.to_string(),
        r#"{"externalSystemId":"42","contacts":[{"type":"EMAIL","value":"ada@work.example"},{"type":"WORK_PHONE","value":"+12065550123"}],"customFieldValues":[{"name":"Employer","value":"Åse & Søn"},{"name":"Job Title","value":"Chair"}]}"#
    );
}

#[test]
fn the_mapping_names_its_targets_as_the_configuration_does() {
    let map = overrides(&[
        ("contacts.WORK_PHONE", ""),
        ("address.city", "{{ city }}"),
        ("title", "{{ jobTitle }}"),
    ]);
    let mapping = SalsaMapping::compile(&map, &FieldNames::default()).unwrap();
    let targets: Vec<_> = mapping.targets().collect();
    let expected = [
        "address.city",
        "custom.Employer",
        "custom.Job Title",
        "externalSystemId",
        "title",
    ];
    assert_eq!(targets, expected);
}

#[test]
fn every_target_of_the_census_can_be_mapped() {
    let targets = [
        "title",
        "firstName",
        "middleName",
        "lastName",
        "suffix",
        "address.addressLine1",
        "address.addressLine2",
        "address.city",
        "address.postalCode",
        "address.county",
        "contacts.FACEBOOK_ID",
        "contacts.TWITTER_ID",
        "contacts.LINKEDIN_ID",
        "custom.Anything at all",
    ];
    let map: Vec<_> = targets.map(|target| (target, "{{ city }}")).into();
    let patch = patch(&map, &json!({"changeId": 1, "xid": 1, "city": "Anytown"}));
    assert_eq!(
        format!("{:?}", merge(None, &patch, false))
            .matches("Anytown")
            .count(),
        0
    );
    let row_email = json!({"changeId": 1, "xid": 1, "city": "Anytown", "email": "a@example.org"});
    let document = merge(None, &super::patch(&map, &row_email), true)
        .unwrap()
        .document();
    assert_eq!(
        document.to_string().matches("Anytown").count(),
        targets.len()
    );
}

#[test]
fn an_empty_template_or_false_switches_a_default_off() {
    let mut map = overrides(&[("contacts.WORK_PHONE", ""), ("custom.Employer", "  ")]);
    map.insert("custom.Job Title".into(), MapValue::Bool(false));
    let mapping = SalsaMapping::compile(&map, &FieldNames::default()).unwrap();
    let row =
        json!({"changeId": 1, "xid": 1, "phone": "not a phone", "employer": "X", "jobTitle": "Y"});
    assert!(mapping.patch(&change(&row), false).unwrap().is_empty());
}

#[test]
fn constants_may_be_numbers_and_true() {
    let map = [
        ("custom.Year".to_owned(), MapValue::Integer(2026)),
        ("custom.Alumnus".to_owned(), MapValue::Bool(true)),
    ];
    let mapping = SalsaMapping::compile(&map.into(), &FieldNames::default()).unwrap();
    let row = json!({"changeId": 1, "xid": 1, "email": "a@example.org"});
    let patch = mapping.patch(&change(&row), false).unwrap();
    let document = merge(None, &patch, true).unwrap();
    let document = document.document().to_string();
    assert!(
        document.contains(r#"{"name":"Alumnus","value":"true"},{"name":"Year","value":"2026"}"#)
    );
}

#[test]
fn everything_wrong_with_a_mapping_is_told_at_once_with_the_nearest_right_name() {
    let told = errors(&[
        ("address.adressLine1", "{{ address1 }}"),
        ("contacts.WORKPHONE", "{{ phone }}"),
        ("custom.", "{{ phone }}"),
        ("custom.Employer", "{{ employr }}"),
        ("externalSystemId", ""),
        ("lastModified", "{{ changedOn }}"),
        ("supporterId", "{{ xid }}"),
        ("title", "{{ jobTitle"),
    ]);
    for (told, expected) in told.iter().zip([
        "did you mean `address.addressLine1`",
        "did you mean `contacts.WORK_PHONE`",
        "1 to 64 characters",
        "did you mean `employer`",
        "cannot be switched off",
        "lastModified",
        "supporterId",
        "title: the template is wrong",
    ]) {
        assert!(told.contains(expected), "{told}");
    }
    assert_eq!(told.len(), 8);
    assert_eq!(errors(&[("address.latitude", "1")]).len(), 1);
    assert_eq!(
        errors(&[(&format!("custom.{}", "x".repeat(65)), "1")]).len(),
        1
    );
    let list = [("title".to_owned(), MapValue::List(Vec::new()))];
    assert!(SalsaMapping::compile(&list.into(), &FieldNames::default()).is_err());
}

#[test]
fn an_anonymous_row_is_dead_unless_matching_is_allowed_and_it_has_an_email() {
    let with_email = json!({"changeId": 1, "xid": "", "email": "Ada@work.example"});
    let without = json!({"changeId": 1});
    let mapping = mapping(&[("externalSystemId", "A-{{ xid }}")]);
    assert_eq!(
        dead(mapping.patch(&change(&with_email), false)).0,
        DeadClass::Anonymous
    );
    assert_eq!(
        dead(mapping.patch(&change(&without), true)).0,
        DeadClass::Anonymous
    );
    let patch = mapping.patch(&change(&with_email), true).unwrap();
    assert_eq!(patch.key().kind(), IdentifierType::EmailAddress);
    assert_eq!(patch.key().value(), "Ada@work.example");
    assert!(merge(None, &patch, true).unwrap().external_id().is_none());
}

#[test]
fn an_anonymous_row_whose_email_is_none_never_reaches_a_search() {
    let row = json!({"changeId": 1, "email": "ada at work"});
    let (class, cause) = dead(mapping(&[]).patch(&change(&row), true));
    assert_eq!(class, DeadClass::Validation);
    assert_eq!(cause, "the work email must be a valid email address");
}

#[test]
fn a_reshaped_external_id_is_what_the_supporter_is_found_by() {
    let patch = patch(
        &[("externalSystemId", "A-{{ xid }}")],
        &json!({"changeId": 1, "xid": 7}),
    );
    assert!(*patch.key() == SupporterKey::ExternalId("A-7".into()));
    let blank = mapping(&[("externalSystemId", "{{ source }}")]);
    let (class, cause) = dead(blank.patch(&change(&json!({"changeId": 1, "xid": 7})), false));
    assert_eq!(class, DeadClass::Mapping);
    assert!(
        cause.contains("externalSystemId renders to nothing"),
        "{cause}"
    );
}

#[test]
fn all_problems_of_a_row_are_named_at_once_and_no_value_is() {
    let map = [
        ("gender", "{{ source }}"),
        ("dateOfBirth", "{{ changedOn }}"),
        ("address.state", "{{ state }}"),
        ("address.country", "{{ country }}"),
        ("address.postalCode", "{{ postalCode }}"),
        ("address.city", "{{ city }}"),
        ("contacts.EMAIL", "{{ email }}"),
        ("contacts.CELL_PHONE", "{{ mobile }}"),
    ];
    let row = json!({
        "changeId": 1, "xid": "x".repeat(101), "source": "s3cret", "state": "s3cret", "country": "s3cret",
        "postalCode": "s3cret 12345", "city": "s3cret".repeat(11), "email": "s3cret", "mobile": "s3cret", "phone": "s3cret",
        "changedOn": "2026-01-02T03:04:05Z",
    });
    let (class, cause) = dead(mapping(&map).patch(&change(&row), false));
    assert_eq!(class, DeadClass::Validation);
    assert_eq!(
        cause,
        "gender must be one of FEMALE, MALE, OTHER; \
         externalSystemId has 101 characters, at most 100 are allowed; \
         address.city has 66 characters, at most 64 are allowed; \
         address.state must be a code of two letters; \
         address.postalCode has 12 characters, at most 10 are allowed; \
         address.country must be a code of two letters; \
         contacts[EMAIL].value must be a valid email address; \
         contacts[CELL_PHONE].value must be a phone number in E.164 form: + and 7 to 15 digits; \
         contacts[WORK_PHONE].value must be a phone number in E.164 form: + and 7 to 15 digits"
    );
}

#[test]
fn a_failing_template_is_a_mapping_problem_beside_the_others() {
    let map = [("address.country", "{{ country | country(\"alpha2\") }}")];
    let row = json!({"changeId": 1, "xid": 1, "country": "Atlantis", "phone": "s3cret"});
    let (class, cause) = dead(mapping(&map).patch(&change(&row), false));
    assert_eq!(class, DeadClass::Mapping);
    assert!(
        cause.contains("address.country") && cause.contains("WORK_PHONE"),
        "{cause}"
    );
    assert!(
        !cause.contains("Atlantis") && !cause.contains("s3cret"),
        "{cause}"
    );
}

#[test]
fn a_constant_alone_does_not_touch_the_address() {
    let map = [("address.country", "US"), ("address.city", "{{ city }}")];
    let row = |city: &str| json!({"changeId": 1, "xid": 1, "city": city});
    assert!(patch(&map, &row("")).is_empty());
    assert!(!patch(&map, &row("Anytown")).is_empty());
}

#[test]
fn debug_output_of_a_patch_shows_no_value() {
    let row = json!({"changeId": 1, "xid": "s3cret", "employer": "s3cret", "email": "s3cret@example.org"});
    let patch = patch(&[("address.city", "{{ employer }}")], &row);
    let shown = format!("{patch:?} {:?}", patch.key());
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("EXTERNAL_ID"), "{shown}");
}
