use std::collections::BTreeMap;

use hostile::{PLANTED, body, damaged};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    change::{Change, FieldNames, decode},
    country::CountryCodes,
    mapping::{MapValue, TemplateError},
    outcome::{DeadClass, Outcome, assert_fit_to_show},
    reply::{Answer, Reply},
};

fn change(row: Value) -> Change {
    decode(&row, &FieldNames::default(), &TimeZone::UTC).unwrap()
}

fn full_row() -> Value {
    json!({
        "changeId": 4711, "xid": "88", "changedOn": "2026-11-21 10:00:00", "source": "profile", "employer": "Müller & Söhne",
        "jobTitle": "Head of \"R&D\"", "address1": "1 Main St", "address2": "Suite 2", "city": "Bellingham", "state": "WA",
        "postalCode": 98225, "country": "US", "email": "ann@example.org", "phone": "+15550100199", "mobile": "+15550100200"
    })
}

fn compile(map: Value) -> Result<CrmMapping, Vec<TemplateError>> {
    let overrides: BTreeMap<String, MapValue> = serde_json::from_value(map).unwrap();
    CrmMapping::compile(&overrides, &FieldNames::default(), CountryCodes::Alpha3)
}

fn document(map: Value, row: Value) -> Result<Value, Outcome> {
    let document = compile(map).unwrap().document(&change(row), true)?;
    Ok(serde_json::to_value(document).unwrap())
}

fn death(map: Value, row: Value) -> (DeadClass, String) {
    match document(map, row).unwrap_err() {
        Outcome::Dead {
            class,
            cause,
            advice,
        } => {
            assert!(!advice.is_empty());
            (class, cause)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_mapping_names_its_targets() {
    let mapping = compile(json!({"PhoneWork": false, "Mobile": "{{ mobile }}"})).unwrap();
    let mut targets: Vec<_> = mapping.targets().collect();
    targets.sort_unstable();
    let expected = [
        "ContactNoteContent",
        "EmailAddress2",
        "Mobile",
        "StudentInstitutionId",
    ];
    assert_eq!(targets, expected);
}

#[test]
fn the_default_document_of_a_full_row_is_fixed() {
    let document = compile(json!({}))
        .unwrap()
        .document(&change(full_row()), false)
        .unwrap();
    assert_eq!(
        serde_json::to_string_pretty(&document).unwrap(),
        r#"{
  "StudentInstitutionId": "88",
  "EmailAddress2": "ann@example.org",
  "PhoneWork": "+15550100199",
  "ContactNoteContent": "Work profile changed in AlumnIQ\nEmployer: Müller & Söhne\nJob title: Head of \"R&D\"\nWork address:\n1 Main St\nSuite 2\nBellingham, WA, 98225\nUS\nAlumnIQ change 4711"
}"#
    );
}

#[test]
fn what_a_row_lacks_is_left_out() {
    assert_eq!(
        document(json!({}), json!({"changeId": 1, "xid": 8})).unwrap(),
        json!({"StudentInstitutionId": "8"})
    );
    assert_eq!(
        document(
            json!({}),
            json!({"changeId": 1, "xid": 8, "jobTitle": "Dean"})
        )
        .unwrap()["ContactNoteContent"],
        "Work profile changed in AlumnIQ\nJob title: Dean\nAlumnIQ change 1"
    );
}

/// The vendor's sample document, with values that satisfy the vendor's own rules.
const SAMPLE: &str = include_str!("contact_upsert_dto.json");

#[test]
fn the_whole_dto_of_the_vendors_page_can_be_mapped() {
    let sample: Value = serde_json::from_str(SAMPLE).unwrap();
    let mapped = document(sample.clone(), full_row()).unwrap();
    assert_eq!(
        serde_json::to_string(&mapped).unwrap(),
        serde_json::to_string(&sample).unwrap()
    );
    assert_eq!(sample.as_object().unwrap().len(), schema::CONTACT.len());
}

#[test]
fn text_from_templates_takes_the_fields_type() {
    let map = json!({
        "CrmNumber": "{{ fax }}", "Inactive": "{{ source }}", "contactstatusdate": "{{ changedOn }}",
        "CorrespondenceCountry": "{{ country }}", "Courses": [{"PreferenceNumber": "{{ changeId }}"}], "ContactNoteContent": false
    });
    let mapped = document(
        map,
        json!({"changeId": 7, "fax": "0012", "source": "TRUE", "country": "us", "changedOn": "2026-11-21"}),
    );
    let expected = json!({
        "CrmNumber": 12, "CorrespondenceCountry": "USA", "ContactStatusDate": "2026-11-21T00:00:00+00:00", "Inactive": true,
        "Courses": [{"PreferenceNumber": 7}]
    });
    assert_eq!(mapped.unwrap(), expected);
}

#[test]
fn an_empty_text_or_false_switches_an_entry_off() {
    let off =
        json!({"PhoneWork": "", "EmailAddress2": false, "ContactNoteContent": " ", "Inactive": ""});
    assert_eq!(
        document(off, full_row()).unwrap(),
        json!({"StudentInstitutionId": "88"})
    );
}

#[test]
fn items_of_which_nothing_is_left_are_dropped() {
    let map = json!({"Tags": [{"Tag": "{{ source }}"}, {"Tag": "{{ jobTitle }}"}], "Consents": [{"Type": "{{ fax }}"}]});
    let mapped = document(map, json!({"changeId": 1, "xid": 8, "source": "bio"})).unwrap();
    assert_eq!(
        mapped,
        json!({"StudentInstitutionId": "8", "Tags": [{"Tag": "bio"}]})
    );
}

#[test]
fn all_problems_of_a_row_are_named_at_once_and_no_value_is_quoted() {
    let row = json!({"changeId": 1, "xid": 8, "phone": "Secret", "email": "Secret", "mobile": "Secret", "country": "Secret", "source": "Secret"});
    let map = json!({"Mobile": "{{ mobile }}", "Gender": "{{ source }}", "CorrespondenceCountry": "{{ country }}", "CrmNumber": "{{ source }}",
        "Inactive": "{{ source }}", "DateOfBirth": "{{ source }}", "Tags": [{"Tag": "x"}, {"TagDate": "{{ source }}"}]});
    let (class, cause) = death(map, row.clone());
    assert_eq!(class, DeadClass::Validation);
    for field in [
        "CrmNumber",
        "Gender",
        "DateOfBirth",
        "EmailAddress2",
        "Mobile",
        "PhoneWork",
        "CorrespondenceCountry",
        "Inactive",
        "Tags[1].TagDate",
    ] {
        assert!(cause.contains(field), "{field} in {cause}");
    }
    assert!(!cause.contains("Secret"));

    let (class, cause) = death(json!({"FaxWork": "{{ country | country('alpha2') }}"}), row);
    assert_eq!(class, DeadClass::Mapping);
    assert!(
        cause.contains("FaxWork") && cause.contains("PhoneWork") && !cause.contains("Secret"),
        "{cause}"
    );
}

#[test]
fn an_anonymous_change_needs_leave_and_something_to_match_on() {
    let mapping = compile(json!({"StudentInstitutionId": "A{{ xid }}"})).unwrap();
    let with_email = change(json!({"changeId": 1, "email": "ann@example.org"}));
    let refused = mapping.document(&with_email, false).unwrap_err();
    assert!(
        matches!(refused, Outcome::Dead { class: DeadClass::Anonymous, advice, .. } if advice.contains("alumniq.anonymous"))
    );
    let allowed = mapping.document(&with_email, true).unwrap();
    assert_eq!(
        allowed.fields().map(|(name, _)| name).collect::<Vec<_>>(),
        ["EmailAddress2"]
    );

    let bare = change(json!({"changeId": 1, "employer": "E"}));
    let refused = mapping.document(&bare, true).unwrap_err();
    assert!(
        matches!(refused, Outcome::Dead { class: DeadClass::Anonymous, cause, .. } if cause.contains("email address or phone"))
    );
}

#[test]
fn entries_that_cannot_work_are_all_found_when_compiling() {
    let errors = compile(json!({
        "PhoneWrk": "{{ phone }}", "PhoneWork": "{{ phnoe }}", "Gender": "Q", "Tags": "{{ city }}", "Surname": [{"Tag": "x"}],
        "Consents": [{"Typ": "x"}, {"Consent": 3}], "Courses": vec![json!({"Course": "c"}); 100], "Name": true, "CorrespondenceCountry": "Atlantis"
    }))
    .unwrap_err();
    let mut targets: Vec<&str> = errors.iter().map(|error| error.target.as_str()).collect();
    targets.sort_unstable();
    assert_eq!(
        targets,
        [
            "Consents[0].Typ",
            "Consents[1].Consent",
            "CorrespondenceCountry",
            "Courses",
            "Gender",
            "Name",
            "PhoneWork",
            "PhoneWrk",
            "Surname",
            "Tags"
        ]
    );
    let misspelt = errors
        .iter()
        .find(|error| error.target == "PhoneWrk")
        .unwrap();
    assert!(
        misspelt.advice.starts_with("did you mean `PhoneWork`?"),
        "{misspelt}"
    );
}

#[test]
fn fields_given_by_hand_meet_the_same_rules() {
    let given = |value: Value| {
        ContactUpsertDto::from_fields(value.as_object().unwrap().clone(), CountryCodes::Alpha3)
    };
    let document = given(
        json!({"phonework": "+15550100199", "CountryOfBirth": "Sweden", "Name": null, "Alias": ""}),
    )
    .unwrap();
    assert_eq!(
        serde_json::to_value(document).unwrap(),
        json!({"PhoneWork": "+15550100199", "CountryOfBirth": "SWE"})
    );

    let problems = given(json!({"Emial": "x", "Courses": vec![json!({}); 100], "Tags": {}, "Consents": [1], "Name": [1], "CrmNumber": 1.5})).unwrap_err();
    assert_eq!(problems.len(), 6);
}

#[test]
fn debug_shows_no_values() {
    let document = compile(json!({}))
        .unwrap()
        .document(&change(full_row()), false)
        .unwrap();
    let debug = format!("{document:?}");
    assert!(
        debug.contains("PhoneWork") && !debug.contains("+1555") && !debug.contains("Main St"),
        "{debug}"
    );
}

proptest! {
    #[test]
    fn mapping_any_row_never_panics(values in prop::collection::vec(".{0,30}", 6)) {
        let row = json!({"changeId": 1, "xid": 2, "email": values[0], "phone": values[1], "country": values[2], "employer": values[3],
            "address1": values[4], "source": values[5]});
        let map = json!({"CorrespondenceCountry": "{{ country }}", "Gender": "{{ source }}", "Tags": [{"TagDate": "{{ employer }}"}]});
        let _ = document(map, row);
    }
}

const ANSWER_NAMES: &[&str] = &[
    "Message",
    "MessageDetail",
    "ModelState",
    "ExceptionMessage",
    "StackTrace",
    "dto.PhoneWork",
];

/// An answer of the CRM, sound or damaged, with personal data in its words.
fn any_answer() -> BoxedStrategy<String> {
    let error = json!({
        "Message": format!("The request for {} is invalid.", PLANTED[0]), "StackTrace": "at Crm.Update(sam.secret)",
        "ModelState": {
            "dto.EmailAddress2": [format!("The value {} is invalid.", PLANTED[2]), format!("Call {}.", PLANTED[3])],
            "dto.PhoneWork": "wrong",
        },
    });
    let errors = prop_oneof![damaged(error, ANSWER_NAMES), hostile::json(ANSWER_NAMES)].boxed();
    prop_oneof![3 => body(errors), 1 => any::<i64>().prop_map(|number| number.to_string())].boxed()
}

proptest! {
    #[test]
    fn only_a_crm_number_in_a_200_or_201_is_done_and_no_message_shows_a_person(
        status in prop_oneof![prop::sample::select(vec![200_u16, 201, 400, 404, 409, 422, 500]), any::<u16>()],
        text in any_answer(),
    ) {
        let is_number = crm_number(&text).is_some_and(|number| text.contains(&number.unsigned_abs().to_string()));
        let outcome = classify(&Reply::Answer(Answer { status, retry_after: None, body: text }));
        assert_fit_to_show(&outcome);
        let is_done = matches!(outcome, Outcome::Done { .. });
        prop_assert_eq!(is_done, is_number && matches!(status, 200 | 201));
    }
}

#[test]
fn an_answer_without_end_makes_a_message_with_one() {
    let many = vec!["The field is wrong."; 100_000];
    let fields: serde_json::Map<_, _> = (0..100_000)
        .map(|at| (format!("dto.Field{at}"), json!(["wrong", "wrong"])))
        .collect();
    for said in [
        json!({ "ModelState": { "dto.PhoneWork": many } }),
        json!({ "ModelState": fields }),
        json!({ "Message": "wrong ".repeat(1_000_000) }),
    ] {
        let reply = Reply::Answer(Answer {
            status: 400,
            retry_after: None,
            body: said.to_string(),
        });
        let outcome = classify(&reply);
        assert!(matches!(&outcome, Outcome::Dead { cause, .. } if cause.contains("wrong")));
        assert_fit_to_show(&outcome);
    }
}
