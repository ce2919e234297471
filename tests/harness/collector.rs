//! A collector of traces: takes OTLP over HTTP, decodes it as its authors define it, and remembers every span.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::status::StatusCode as SpanStatus,
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinHandle};

/// A span as it was received.
#[derive(Debug, Clone)]
pub struct Span {
    pub trace: Vec<u8>,
    pub id: Vec<u8>,
    pub parent: Vec<u8>,
    pub name: String,
    pub begun: u64,
    pub ended: u64,
    pub failed: bool,
    /// `service.instance.id` of whoever sent it.
    pub process: String,
    pub attributes: BTreeMap<String, String>,
}

impl Span {
    /// An attribute's text; empty where there is none.
    pub fn of(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }

    /// Whether `inner` is over within it.
    pub fn encloses(&self, inner: &Self) -> bool {
        self.begun <= inner.begun && inner.begun <= inner.ended && inner.ended <= self.ended
    }
}

#[derive(Default)]
struct Seen {
    spans: Vec<Span>,
    headers: Vec<HeaderMap>,
    bodies: Vec<Bytes>,
}

/// Stops when dropped.
pub struct Collector {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    server: JoinHandle<()>,
}

impl Collector {
    /// On a free port.
    pub async fn start() -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into()).await
    }

    /// On this one, where another may have ended a moment ago.
    pub async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&seen));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            seen,
            server,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes nothing any more.
    pub async fn stop(mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }

    /// The spans so far, by trace.
    pub fn traces(&self) -> BTreeMap<Vec<u8>, Vec<Span>> {
        let mut traces: BTreeMap<_, Vec<Span>> = BTreeMap::new();
        for span in &self.seen.lock().unwrap().spans {
            traces
                .entry(span.trace.clone())
                .or_default()
                .push(span.clone());
        }
        traces
    }

    /// The changes whose trace has a root.
    pub fn roots(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.spans
            .iter()
            .filter(|span| span.parent.is_empty())
            .count()
    }

    /// Everything that was received, as one text.
    pub fn received(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let bodies = seen.bodies.iter();
        bodies.map(|body| String::from_utf8_lossy(body)).collect()
    }

    /// A header of each call.
    pub fn header(&self, name: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let headers = seen.headers.iter().map(|headers| headers.get(name));
        let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
        headers
            .map(|value| value.map(text).unwrap_or_default())
            .collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(seen): State<Arc<Mutex<Seen>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if headers
        .get("content-type")
        .is_none_or(|kind| kind != "application/x-protobuf")
    {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let Ok(request) = ExportTraceServiceRequest::decode(body.clone()) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut seen = seen.lock().unwrap();
    for sender in request.resource_spans {
        let resource = attributes(sender.resource.unwrap_or_default().attributes);
        assert_eq!(resource["service.name"], "alumniq-relay");
        for span in sender.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let status = span.status.unwrap_or_default();
            seen.spans.push(Span {
                trace: span.trace_id,
                id: span.span_id,
                parent: span.parent_span_id,
                name: span.name,
                begun: span.start_time_unix_nano,
                ended: span.end_time_unix_nano,
                failed: status.code() == SpanStatus::Error,
                process: resource["service.instance.id"].clone(),
                attributes: attributes(span.attributes),
            });
        }
    }
    seen.headers.push(headers);
    seen.bodies.push(body);
    StatusCode::OK
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |pair: KeyValue| match pair.value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => (pair.key, text),
        Some(Value::IntValue(number)) => (pair.key, number.to_string()),
        other => panic!("{} is {other:?}", pair.key),
    };
    pairs.into_iter().map(text).collect()
}
