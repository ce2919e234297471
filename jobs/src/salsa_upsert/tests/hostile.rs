use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{patch, supporter};
use crate::{
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
        Err(failure) => drop(failure.for_one_item()),
    }
}

fn read_payload(payload: &Payload) {
    let patch = patch(
        &[],
        &json!({"changeId": 1, "xid": "1", "email": "a@example.org"}),
    );
    let sent = supporter(&json!({"supporterId": "1", "externalSystemId": "1"}));
    assert_eq!(put_outcomes(payload, [&sent]).len(), 1);
    assert_eq!(delete_outcomes(payload, &["1".into()]).len(), 1);
    for found in correlate_search(payload, [&patch]).into_iter().flatten() {
        let _ = merge(found.as_ref(), &patch, true).map(|document| document.document());
    }
    let _ = (
        found(payload),
        next_offset(payload, 0, 20),
        SalsaLimits::read(payload),
    );
}

/// Arbitrary JSON that is likely to hit the names that are looked for.
fn json_value() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "supporters",
        "supporterId",
        "externalSystemId",
        "result",
        "errors",
        "contacts",
        "type",
        "value",
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
    ]);
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
