//! Steps of a change as OTLP's spans. Attributes hold ids, names and causes, which are free of data.

use std::time::{Duration, SystemTime};

use jobs::call_log::Call;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{Span, Status, span::SpanKind, status::StatusCode},
};

use super::{Step, identity::Identity};

/// W3C's flag of a trace that is sampled.
const SAMPLED: u32 = 1;

/// Who tells.
pub(super) fn resource(namespace: &str, worker: &str) -> Resource {
    Resource {
        attributes: vec![
            text("service.name", env!("CARGO_PKG_NAME")),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.namespace", namespace),
            text("service.instance.id", worker),
        ],
        ..Resource::default()
    }
}

/// The root: from the fetch until now.
pub(super) fn root(
    identity: &Identity,
    change_id: &str,
    fetched_at: u64,
    outcome: &str,
    worker: &str,
) -> Span {
    let begun = SystemTime::UNIX_EPOCH + Duration::from_millis(fetched_at);
    Span {
        span_id: identity.root.to_vec(),
        parent_span_id: Vec::new(),
        attributes: vec![
            text("change_id", change_id),
            text("outcome", outcome),
            text("worker", worker),
        ],
        ..span(
            identity,
            "change",
            SpanKind::Internal,
            begun,
            SystemTime::now(),
        )
    }
}

/// A step, and its calls as its children.
pub(super) fn of_step(identity: &Identity, step: &Step<'_>, worker: &str) -> Vec<Span> {
    let calls = step.call_log.calls();
    let id = rand::random::<[u8; 8]>();
    let mut attributes = vec![
        text("change_id", step.change_id),
        text("outcome", step.outcome),
        text("worker", worker),
    ];
    attributes.extend(step.destination.map(|name| text("destination", name)));
    attributes.extend(
        step.attempt
            .map(|attempt| number("attempt", attempt.into())),
    );
    attributes.extend(
        step.call_log
            .request_ids()
            .map(|ids| text("request_id", ids)),
    );
    // A step is not over before its calls, whatever the clocks' readings are worth.
    let call_ends = calls.iter().map(|call| call.begun + call.duration);
    let ended = call_ends.fold(step.ended, SystemTime::max);
    let mut spans = vec![Span {
        span_id: id.to_vec(),
        attributes,
        status: step.failure.map(failed),
        ..span(identity, step.name, SpanKind::Internal, step.begun, ended)
    }];
    spans.extend(calls.iter().map(|call| of_call(identity, id, call)));
    spans
}

/// A call is named by its request id in every trace that it belongs to.
fn of_call(identity: &Identity, parent: [u8; 8], call: &Call) -> Span {
    let mut attributes = vec![
        text("vendor", call.vendor),
        text("operation", call.operation),
        text("status", &*call.status),
        text("request_id", call.request_id.to_string()),
    ];
    let theirs = call.vendor_request_id.as_deref();
    attributes.extend(theirs.map(|id| text("vendor_request_id", id)));
    let answered: Option<i64> = call.status.parse().ok();
    attributes.extend(answered.map(|status| number("http.response.status_code", status)));
    let is_good = answered.is_some_and(|status| status < 400);
    let name = format!("{} {}", call.vendor, call.operation);
    Span {
        span_id: call.request_id.half().to_vec(),
        parent_span_id: parent.to_vec(),
        attributes,
        status: (!is_good).then(|| failed(&call.status)),
        ..span(
            identity,
            name,
            SpanKind::Client,
            call.begun,
            call.begun + call.duration,
        )
    }
}

/// A child of the root.
fn span(
    identity: &Identity,
    name: impl Into<String>,
    kind: SpanKind,
    begun: SystemTime,
    ended: SystemTime,
) -> Span {
    Span {
        trace_id: identity.trace.to_vec(),
        parent_span_id: identity.root.to_vec(),
        flags: SAMPLED,
        name: name.into(),
        kind: kind.into(),
        start_time_unix_nano: nanos(begun),
        // A clock that was set back must not make a span that ends before it begins.
        end_time_unix_nano: nanos(ended.max(begun)),
        ..Span::default()
    }
}

fn failed(cause: &str) -> Status {
    Status {
        message: cause.to_owned(),
        code: StatusCode::Error.into(),
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
