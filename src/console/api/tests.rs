use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    http::{
        HeaderMap, Method, Request,
        header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
};
use serde_json::Value;
use tower::Service;

use super::*;
use crate::{
    console::{ConsoleTokens, Guard, Rules},
    observe::Heartbeats,
};

/// A process that has no queue.
async fn ask(request: Request<Body>, tokens: ConsoleTokens) -> (StatusCode, HeaderMap, Value) {
    let console = Console {
        metrics: crate::observe::metrics::install("test"),
        heartbeats: Heartbeats::default(),
        guard: Guard::new(Rules {
            tokens,
            ..Rules::open()
        }),
        operations: Arc::default(),
    };
    let mut router = crate::console::router(console);
    let response = router.call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let json = serde_json::from_slice(&body)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)));
    (parts.status, parts.headers, json)
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn every_error_is_json_with_a_code_a_message_and_advice() {
    for (request, status, code) in [
        (get("/api"), 404, "not_found"),
        (get("/api/"), 404, "not_found"),
        (get("/api/v1"), 404, "not_found"),
        (get("/api/v1/nothing"), 404, "not_found"),
        (get("/api/v2/status"), 404, "not_found"),
        (get("/api/v1/status"), 503, "unavailable"),
        (get("/api/v1/changes/%ff"), 503, "unavailable"),
        (
            get("/api/v1/destinations/crm/pause"),
            405,
            "method_not_allowed",
        ),
    ] {
        let asked = request.uri().clone();
        let (got, headers, body) = ask(request, ConsoleTokens::default()).await;
        assert_eq!(got.as_u16(), status, "{asked}");
        assert_eq!(headers[CONTENT_TYPE], "application/json", "{asked}");
        assert_eq!(body["error"]["code"], code, "{asked}");
        for word in ["message", "advice"] {
            assert!(
                body["error"][word]
                    .as_str()
                    .is_some_and(|said| !said.is_empty()),
                "{asked}"
            );
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let request = get("/api/v1/destinations/crm/pause");
    let (_, headers, _) = ask(request, ConsoleTokens::default()).await;
    assert_eq!(headers[ALLOW], "POST");
}

#[tokio::test]
async fn who_brings_no_token_is_refused_before_anything_else_is_looked_at() {
    let guarded = || ConsoleTokens {
        operator: Some("open-sesame".into()),
        viewer: None,
    };
    for (_, paths) in paths() {
        for (method, path) in paths {
            let request = |token: &str| {
                Request::builder()
                    .method(method.clone())
                    .uri(path.replace(['{', '}'], ""))
                    .header(AUTHORIZATION, format!("Bearer {token}"))
                    .body(Body::empty())
                    .unwrap()
            };
            let (status, headers, body) = ask(request("wrong"), guarded()).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(body["error"]["code"], "unauthenticated", "{method} {path}");
            assert!(
                headers
                    .get(WWW_AUTHENTICATE)
                    .is_none_or(|how| how == "Bearer")
            );
        }
    }
}

/// Every operation of the document, by path.
fn paths() -> Vec<(String, Vec<(Method, String)>)> {
    let document: Value = serde_json::from_str(&document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            let methods = methods.map(|name| {
                let method = name.to_uppercase().parse().unwrap();
                (method, path.clone())
            });
            (path.clone(), methods.collect())
        })
        .collect()
}

#[tokio::test]
async fn the_document_is_served_and_every_operation_in_it_may_fail_in_the_common_form() {
    let (status, _, served) = ask(get("/api/v1/openapi.json"), ConsoleTokens::default()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(served, serde_json::from_str::<Value>(&document()).unwrap());
    let mut seen = 0;
    for (path, methods) in paths() {
        for (method, _) in methods {
            let operation = &served["paths"][&path][method.as_str().to_lowercase()];
            let schema =
                &operation["responses"]["default"]["content"]["application/json"]["schema"];
            assert_eq!(
                schema["$ref"], "#/components/schemas/ErrorBody",
                "{method} {path}"
            );
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
                Value::String(to) if name == "$ref" => found.push(to.clone()),
                value => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document: Value = serde_json::from_str(&document()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for to in found {
        let pointer = to.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{to}");
    }
}

#[test]
fn the_cursor_of_dead_letters_is_described_as_it_is_read() {
    use jobs::{destination::Vendor, outcome::DeadClass};
    let document: Value = serde_json::from_str(&document()).unwrap();
    let parameters = &document["paths"]["/api/v1/dead-letters"]["get"]["parameters"];
    let named = |parameter: &&Value| parameter["name"] == "cursor";
    let cursor = parameters.as_array().unwrap().iter().find(named).unwrap();
    let validator = jsonschema::validator_for(&cursor["schema"]).unwrap();
    for vendor in Vendor::ALL {
        for class in DeadClass::ALL {
            let cursor = format!("1795346689512/{vendor}/{class}/41/2");
            assert!(
                cursor.parse::<queue::letters::LetterRef>().is_ok(),
                "{cursor}"
            );
            assert!(validator.is_valid(&cursor.into()), "{vendor} {class}");
        }
    }
    assert!(!validator.is_valid(&"1/crm/stail/41".into()));
}
