//! Whatever a client sends, it gets an answer.

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use proptest::prelude::*;

use super::*;
use crate::{
    alumniq, crm,
    http::{SandboxRequest, SandboxResponse},
    operation::Operation,
    salsa,
};

fn any_json() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "payload",
        "supporters",
        "contacts",
        "type",
        "value",
        "status",
        "address",
        "state",
        "customFieldValues",
        "name",
        "fieldId",
        "supporterId",
        "identifiers",
        "identifierType",
        "modifiedFrom",
        "count",
        "offset",
        "CrmNumber",
        "Gender",
        "Tags",
        "Courses",
        "apikey",
        "changeIdList",
        "errors",
        "result",
    ]);
    let text = prop_oneof![
        Just("EMAIL".to_owned()),
        Just("EXTERNAL_ID".to_owned()),
        Just(SANDBOX_API_KEY.to_owned()),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any_json().prop_map(|json| json.to_string().into_bytes()),
        any_json().prop_map(|json| json!({ "payload": json }).to_string().into_bytes()),
        any_json().prop_map(|json| json!({ "payload": { "supporters": [json] } })
            .to_string()
            .into_bytes()),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

fn answer(
    world: &World,
    operation: Operation,
    query: &str,
    body: Vec<u8>,
    token: &str,
) -> SandboxResponse {
    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {token}");
    for (name, value) in [
        ("content-type", "application/json"),
        ("authtoken", SANDBOX_TOKEN),
        ("authorization", bearer.as_str()),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    let call = SandboxRequest {
        method: Method::POST,
        path: "/".to_owned(),
        query: query.to_owned(),
        headers,
        body: Bytes::from(body),
    };
    match operation.vendor() {
        Vendor::Alumniq => alumniq::answer(world, operation, &call),
        Vendor::Crm => crm::answer(world, operation, &call, false),
        Vendor::Salsa => salsa::answer(world, operation, &call),
    }
}

proptest! {
    #[test]
    fn no_body_and_no_query_makes_a_vendor_panic(bodies in prop::collection::vec((any_body(), any::<String>()), 1..4)) {
        let options = SandboxOptions { limits: Limits { rate_per_minute: 0, ..Limits::default() }, ..small() };
        let world = World::new(options).unwrap();
        let token = lock(&world.tokens).issue(std::time::Duration::from_secs(60));
        for (body, text) in bodies {
            let query = format!("apikey={SANDBOX_API_KEY}&changedOnDate={text}");
            for operation in [
                Operation::Fetch,
                Operation::Acknowledge,
                Operation::Token,
                Operation::Update,
                Operation::Upsert,
                Operation::Search,
                Operation::Put,
                Operation::Delete,
            ] {
                let answer = answer(&world, operation, &query, body.clone(), &token);
                prop_assert!([200, 400, 401, 404, 415, 429].contains(&answer.status));
            }
        }
        let report = world.report();
        prop_assert!(report.verdicts(&[], &report.unacknowledged).len() == 7);
    }
}
