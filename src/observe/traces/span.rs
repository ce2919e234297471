//! Steps of a change as OpenTelemetry's spans. Attributes hold ids, names and causes, which are free of data.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use jobs::call_log::VendorCall;
use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanEvents, SpanLinks},
};

use super::{TraceStep, identity::TraceIds};

/// Who tells.
pub(super) fn resource(namespace: &str, worker: &str) -> Resource {
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.namespace", namespace.to_owned()),
            KeyValue::new("service.instance.id", worker.to_owned()),
        ])
        .build()
}

/// The root: from the fetch until now.
pub(super) fn root(
    identity: &TraceIds,
    change_id: &str,
    fetched_at: u64,
    outcome: &'static str,
    worker: &str,
) -> SpanData {
    let begun = SystemTime::UNIX_EPOCH + Duration::from_millis(fetched_at);
    SpanData {
        parent_span_id: SpanId::INVALID,
        attributes: vec![
            KeyValue::new("change_id", change_id.to_owned()),
            KeyValue::new("outcome", outcome),
            KeyValue::new("worker", worker.to_owned()),
        ],
        ..span(
            identity,
            identity.root,
            "change",
            SpanKind::Internal,
            begun,
            SystemTime::now(),
        )
    }
}

/// A step, and its calls as its children.
pub(super) fn of_step(identity: &TraceIds, step: &TraceStep<'_>, worker: &str) -> Vec<SpanData> {
    let calls = step.call_log.calls();
    let id = rand::random::<[u8; 8]>();
    let mut attributes = vec![
        KeyValue::new("change_id", step.change_id.to_owned()),
        KeyValue::new("outcome", step.outcome),
        KeyValue::new("worker", worker.to_owned()),
    ];
    attributes.extend(
        step.destination
            .map(|name| KeyValue::new("destination", name)),
    );
    attributes.extend(
        step.attempt
            .map(|attempt| KeyValue::new("attempt", i64::from(attempt))),
    );
    attributes.extend(
        step.call_log
            .request_ids()
            .map(|ids| KeyValue::new("request_id", ids)),
    );
    // A step is not over before its calls, whatever the clocks' readings are worth.
    let call_ends = calls.iter().map(|call| call.begun + call.duration);
    let ended = call_ends.fold(step.ended, SystemTime::max);
    let mut spans = vec![SpanData {
        attributes,
        status: step.failure.map_or(Status::Unset, failed),
        ..span(
            identity,
            id,
            step.name,
            SpanKind::Internal,
            step.begun,
            ended,
        )
    }];
    spans.extend(calls.iter().map(|call| of_call(identity, id, call)));
    spans
}

/// A call is named by its request id in every trace that it belongs to.
fn of_call(identity: &TraceIds, parent: [u8; 8], call: &VendorCall) -> SpanData {
    let mut attributes = vec![
        KeyValue::new("vendor", call.vendor),
        KeyValue::new("operation", call.operation),
        KeyValue::new("status", call.status.to_string()),
        KeyValue::new("request_id", call.request_id.to_string()),
    ];
    let theirs = call.vendor_request_id.as_deref();
    attributes.extend(theirs.map(|id| KeyValue::new("vendor_request_id", id.to_owned())));
    let answered: Option<i64> = call.status.parse().ok();
    attributes.extend(answered.map(|status| KeyValue::new("http.response.status_code", status)));
    let is_good = answered.is_some_and(|status| status < 400);
    let name = format!("{} {}", call.vendor, call.operation);
    SpanData {
        parent_span_id: SpanId::from_bytes(parent),
        attributes,
        status: match is_good {
            true => Status::Unset,
            false => failed(&call.status),
        },
        ..span(
            identity,
            call.request_id.half(),
            name,
            SpanKind::Client,
            call.begun,
            call.begun + call.duration,
        )
    }
}

/// A child of the root.
fn span(
    identity: &TraceIds,
    id: [u8; 8],
    name: impl Into<Cow<'static, str>>,
    kind: SpanKind,
    begun: SystemTime,
    ended: SystemTime,
) -> SpanData {
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(identity.trace),
            SpanId::from_bytes(id),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: SpanId::from_bytes(identity.root),
        parent_span_is_remote: false,
        span_kind: kind,
        name: name.into(),
        start_time: begun,
        // A clock that was set back must not make a span that ends before it begins.
        end_time: ended.max(begun),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

fn failed(cause: &str) -> Status {
    Status::error(cause.to_owned())
}
