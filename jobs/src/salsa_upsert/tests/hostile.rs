use hostile::{PLANTED, body, damaged};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{patch, supporter};
use crate::{
    outcome::{Outcome, assert_fit_to_show},
    reply::{Answer, Reply},
    salsa_upsert::{
        Payload, SalsaLimits, Supporter, classify, correlate_search, delete_outcomes, found, merge,
        next_offset, put_outcomes,
    },
};

/// Everything that reads an answer, on one body.
fn read_all(status: u16, body: String) {
    let answer = Answer {
        status,
        retry_after: None,
        body,
    };
    match classify(&Reply::Answer(answer)) {
        Ok(payload) => read_payload(&payload),
        Err(failure) => assert_fit_to_show(&failure.for_one_item()),
    }
}

fn read_payload(payload: &Payload) {
    let patch = patch(
        &[],
        &json!({"changeId": 1, "xid": "1", "email": "a@example.org"}),
    );
    let sent = supporter(&json!({"supporterId": "1", "externalSystemId": "1"}));
    let [put] = put_outcomes(payload, [&sent]).try_into().unwrap();
    let [deleted] = delete_outcomes(payload, &["1".into()]).try_into().unwrap();
    for outcome in [put, deleted] {
        assert_fit_to_show(&outcome);
    }
    for found in correlate_search(payload, [&patch]) {
        let found = match found {
            Ok(found) => found,
            Err(outcome) => {
                assert_fit_to_show(&outcome);
                continue;
            }
        };
        if let Err(outcome) = merge(found.as_ref(), &patch, true) {
            assert_fit_to_show(&outcome);
        }
    }
    let _ = (
        found(payload),
        next_offset(payload, 0, 20),
        SalsaLimits::read(payload),
    );
}

/// The names that are looked for in an answer.
const NAMES: &[&str] = &[
    "supporters",
    "supporterId",
    "externalSystemId",
    "result",
    "errors",
    "contacts",
    "type",
    "value",
    "status",
    "address",
    "line1",
    "customFieldValues",
    "name",
    "fieldId",
    "code",
    "message",
    "fieldName",
    "total",
    "rateLimit",
    "maxBatchSize",
];

/// Arbitrary JSON that is likely to hit those names.
fn json_value() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(NAMES);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "1",
            "EMAIL",
            "UPDATED",
            "NOT_FOUND",
            "VALIDATION_ERROR",
            "a@example.org"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_payload_whatever_its_shape_makes_anything_panic(value in json_value(), supporters in json_value()) {
        read_all(200, json!({ "payload": value }).to_string());
        read_all(200, json!({ "payload": { "supporters": [supporters, { "supporterId": "1", "errors": value }] } }).to_string());
    }

    #[test]
    fn no_text_with_any_status_makes_classification_panic(status: u16, body in ".{0,200}") {
        read_all(status, body);
    }

    #[test]
    fn reading_what_was_written_changes_nothing(value in json_value()) {
        if let Some(read) = Supporter::read(&json!({ "title": "x", "contacts": value, "address": value, "customFieldValues": value })) {
            let written = read.document();
            prop_assert_eq!(supporter(&written).document(), written);
        }
    }
}

#[test]
fn deep_nesting_and_huge_texts_are_only_failures() {
    let deep = 200_000;
    read_all(200, format!("{}{}", "[".repeat(deep), "]".repeat(deep)));
    read_all(
        200,
        format!(
            "{{\"payload\":{}{}}}",
            "{\"errors\":".repeat(deep),
            "}".repeat(deep)
        ),
    );
    let huge = "x".repeat(50_000_000);
    read_all(500, huge.clone());
    read_all(
        200,
        json!({"payload": {"supporters": [{"supporterId": "1", "errors": [{"message": huge}]}]}})
            .to_string(),
    );
}

const ID: &str = "1f4d3ee4-af08-42bb-8ca2-50fc232e7b40";

/// A supporter as Salsa answers a search, or a PUT that it refused in part.
fn answered(result: &str, refused: bool) -> Value {
    let errors = json!([{
        "id": ID, "code": 2008, "fieldName": PLANTED[0], "message": format!("{} is wrong: {}", PLANTED[2], PLANTED[3]),
    }]);
    let mut record = json!({
        "supporterId": ID, "result": result, "firstName": "John", "createdDate": "2016-05-27T14:02:10.780Z",
        "externalSystemId": "1", "address": {"line1": "123 Main St", "city": "Anytown", "lattitude": 40.7},
        "contacts": [
            {"type": "CELL_PHONE", "value": "555-555-5555"},
            {"type": "EMAIL", "value": "email@mail.com", "status": "OPT_OUT"},
        ],
        "customFieldValues": [{"fieldId": "aa90e308", "name": "Employer", "value": "Old"}],
    });
    if refused {
        record["contacts"][0]["errors"] = errors;
    }
    record
}

fn damaged_supporter() -> impl Strategy<Value = Value> {
    (
        prop::sample::select(vec![
            "ADDED",
            "UPDATED",
            "FOUND",
            "VALIDATION_ERROR",
            "SYSTEM_ERROR",
        ]),
        any::<bool>(),
    )
        .prop_flat_map(|(result, refused)| damaged(answered(result, refused), NAMES))
}

/// Whether any object in `value` has a member of this name that holds something.
fn has(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(key, member)| key == name || has(member, name)),
        Value::Array(items) => items.iter().any(|item| has(item, name)),
        _ => false,
    }
}

/// The texts in an object by member, those of contacts and custom fields by their own names.
fn texts(record: &Supporter) -> Vec<(String, String)> {
    let census = record
        .census
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.clone()));
    let address = record
        .address
        .iter()
        .map(|(name, text)| (format!("address.{name}"), text.clone()));
    let contacts = record
        .contacts
        .iter()
        .map(|contact| (format!("contacts.{}", contact.kind), contact.value.clone()));
    census.chain(address).chain(contacts).collect()
}

proptest! {
    #[test]
    fn a_damaged_answer_is_done_only_where_its_record_says_so_without_an_error(record in damaged_supporter(), text in body(damaged_supporter().boxed())) {
        read_all(200, format!("{{\"payload\":{{\"supporters\":[{text}]}}}}"));
        let sent = supporter(&json!({"supporterId": ID, "contacts": [{"type": "EMAIL", "value": "email@mail.com"}]}));
        let body = json!({"payload": {"supporters": [record]}}).to_string();
        let is_json = serde_json::from_str::<Value>(&body).is_ok();
        let reply = Reply::Answer(Answer { status: 200, retry_after: None, body });
        let Ok(payload) = classify(&reply) else {
            // Damage within damage may be nested more deeply than serde_json reads.
            prop_assert!(!is_json, "{}", record);
            return Ok(());
        };
        let [outcome] = put_outcomes(&payload, [&sent]).try_into().unwrap();
        assert_fit_to_show(&outcome);
        if matches!(outcome, Outcome::Done { .. }) {
            prop_assert!(record["result"] == "ADDED" || record["result"] == "UPDATED", "{}", record);
            prop_assert!(!record["contacts"][0]["errors"][0].is_object(), "{}", record);
        }
    }

    #[test]
    fn a_merge_loses_nothing_invents_nothing_and_never_sends_a_status(record in damaged_supporter()) {
        let row = json!({"changeId": 1, "xid": "1", "phone": "+12065550123", "city": "Seattle", "employer": "Initech"});
        let maps: [&[(&str, &str)]; 2] = [&[], &[("address.city", "{{ city }}"), ("firstName", "{{ city }}")]];
        let Some(current) = Supporter::read(&record) else {
            return Ok(());
        };
        for map in maps {
            let Ok(merged) = merge(Some(&current), &patch(map, &row), true) else {
                prop_assert!(current.email().is_none());
                continue;
            };
            let document = merged.document();
            prop_assert!(!has(&document, "status") && !has(&document, "createdDate") && !has(&document, "lattitude"));
            let (before, after) = (texts(&current), texts(&merged));
            for (name, text) in &before {
                let is_sent = after.iter().any(|(other, _)| other == name);
                prop_assert!(is_sent || (name.starts_with("address.") && map.is_empty()), "{} is lost", name);
                let from_row = ["externalSystemId", "contacts.WORK_PHONE", "firstName", "address.city"];
                prop_assert!(!is_sent || from_row.contains(&name.as_str()) || after.contains(&(name.clone(), text.clone())));
            }
            for (name, text) in &after {
                let from_row = ["1", "+12065550123", "Seattle"].contains(&text.as_str());
                prop_assert!(from_row || before.contains(&(name.clone(), text.clone())), "{} is invented", name);
            }
            prop_assert!(merged.custom.iter().all(|field| field.value.as_deref() == Some("Initech")));
        }
    }
}

#[test]
fn errors_without_end_in_a_record_make_a_message_with_one_and_cost_no_memory_per_place() {
    // Each level has a name of its own, and below them lie many places that could hold an error.
    let places = "[],".repeat(1_000_000) + "[]";
    let open = r#"{"name":"field of sixty characters field of sixty characters 123","a":["#;
    let depth = 50;
    let record = format!(
        r#"{{"supporterId":"1","result":"VALIDATION_ERROR","errors":[{}{{"message":"wrong"}}],"custom":[{}{places}{}]}}"#,
        r#"{"message":"wrong"},"#.repeat(100_000),
        open.repeat(depth),
        "]}".repeat(depth),
    );
    read_all(200, format!(r#"{{"payload":{{"supporters":[{record}]}}}}"#));
}
