//! The way to the collector: OTLP over HTTP, in batches, beside the pipeline and never in its way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use jobs::reply::{Reply, with_advice};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::InstrumentationScope,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderName},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::vendors::{ClientError, ClientSettings, Http, Timeouts, secret_header};

/// Behind the collector's address.
const ROOT: &str = "v1/traces";

/// How many steps one call carries at the most.
const STEPS_A_CALL: usize = 512;

/// How long a step waits for fellows.
const LINGER: Duration = Duration::from_secs(1);

/// How long one call may take.
const CALL: Duration = Duration::from_secs(10);

/// How soon a collector that is down is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Sends batches of spans, one at a time.
pub(super) struct Exporter {
    http: Http,
    headers: HeaderMap,
    resource: Resource,
    waiting: mpsc::Receiver<Vec<Span>>,
    /// Spans that found no place, and those that the collector refused.
    dropped: Arc<AtomicU64>,
    closing: CancellationToken,
    is_down: bool,
}

/// Why a batch was not taken.
enum Failure {
    /// It may be, later.
    Down(String),
    /// It never will be.
    Refused(String),
}

impl Exporter {
    /// To the collector at `url`. It needs no worker's runtime until it runs.
    pub fn new(
        url: &str,
        headers: Option<&SecretString>,
        resource: Resource,
        waiting: mpsc::Receiver<Vec<Span>>,
        dropped: Arc<AtomicU64>,
        closing: CancellationToken,
    ) -> Result<Self, ClientError> {
        let settings = ClientSettings {
            timeouts: Timeouts::within(CALL),
            ..ClientSettings::default()
        };
        let secrets: Vec<&SecretString> = headers.into_iter().collect();
        Ok(Self {
            http: Http::new("collector", "telemetry.otlp_url", url, &secrets, settings)?
                .under(ROOT),
            headers: headers.map(read_headers).transpose()?.unwrap_or_default(),
            resource,
            waiting,
            dropped,
            closing,
            is_down: false,
        })
    }

    /// Until `closing`; then what waits is sent, unless the collector is down.
    pub async fn run(mut self) {
        loop {
            let spans = self.gather().await;
            if spans.is_empty() || !self.deliver(spans).await {
                return;
            }
        }
    }

    /// The spans of the next call; none once it is over.
    async fn gather(&mut self) -> Vec<Span> {
        let mut steps = Vec::new();
        tokio::select! {
            biased;
            _ = self.waiting.recv_many(&mut steps, STEPS_A_CALL) => {}
            () = self.closing.cancelled() => return Vec::new(),
        }
        if steps.len() < STEPS_A_CALL {
            let lingering = tokio::time::sleep(LINGER);
            let _ = self.closing.run_until_cancelled(lingering).await;
            while steps.len() < STEPS_A_CALL
                && let Ok(step) = self.waiting.try_recv()
            {
                steps.push(step);
            }
        }
        steps.into_iter().flatten().collect()
    }

    /// Sends a batch until it is taken or refused for good. `false`: nobody is there to take it, and this is the end.
    async fn deliver(&mut self, spans: Vec<Span>) -> bool {
        let count = spans.len() as u64;
        let body = Bytes::from(self.message(spans).encode_to_vec());
        loop {
            match self.post(body.clone()).await {
                Ok(()) => {
                    self.is_up();
                    return true;
                }
                Err(Failure::Refused(cause)) => {
                    self.dropped.fetch_add(count, Ordering::Relaxed);
                    self.is_down(&cause);
                    return true;
                }
                Err(Failure::Down(cause)) => self.is_down(&cause),
            }
            if self.closing.is_cancelled() {
                return false;
            }
            let waiting = tokio::time::sleep(ASK_AGAIN);
            let _ = self.closing.run_until_cancelled(waiting).await;
        }
    }

    async fn post(&self, body: Bytes) -> Result<(), Failure> {
        let request = self
            .http
            .request(Method::POST, "")
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(body);
        match self.http.call("export", request, None).await.reply {
            Reply::Answer(answer) => match answer.status {
                200..=299 => Ok(()),
                // These are the ones that OTLP lets a client repeat.
                status @ (429 | 502 | 503 | 504) => Err(Failure::Down(said(status))),
                status => Err(Failure::Refused(said(status))),
            },
            Reply::Unreachable { cause, advice } => {
                Err(Failure::Down(with_advice(&cause, advice.as_deref())))
            }
            Reply::Lost { cause } => Err(Failure::Down(cause)),
        }
    }

    fn message(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope),
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        }
    }

    /// Says once that traces go nowhere.
    fn is_down(&mut self, cause: &str) {
        if !std::mem::replace(&mut self.is_down, true) {
            tracing::warn!(
                cause,
                "the collector takes no traces; changes go on, and a part of the traces may be lost"
            );
        }
    }

    /// Says once that it is over.
    fn is_up(&mut self) {
        if std::mem::replace(&mut self.is_down, false) {
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            tracing::info!(dropped, "the collector takes traces again");
        }
    }
}

fn said(status: u16) -> String {
    format!("it answered {status}")
}

/// `name=value,name=value`, as OpenTelemetry's own variable has it.
fn read_headers(headers: &SecretString) -> Result<HeaderMap, ClientError> {
    const KEY: &str = "telemetry.otlp_headers";
    let wrong = || ClientError::Secret {
        key: KEY,
        problem: "is no list of headers: write name=value, several with commas between them",
    };
    let mut read = HeaderMap::new();
    for header in headers.expose_secret().split(',') {
        let (name, value) = header.split_once('=').ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        let value = SecretString::from(value.trim());
        read.insert(name, secret_header(KEY, "", &value)?);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_opentelemetry_writes_them() {
        let headers = read_headers(&"api-key=abc, Authorization=Basic YTpi=".into()).unwrap();
        assert_eq!(headers["api-key"], "abc");
        assert_eq!(headers["authorization"], "Basic YTpi=");
        assert!(headers.values().all(|value| value.is_sensitive()));
    }

    #[test]
    fn what_is_no_header_is_refused_without_showing_it() {
        for wrong in ["s3cret", "a b=s3cret", "=s3cret", "a=", "a=s3cret,"] {
            let error = read_headers(&wrong.into()).unwrap_err().to_string();
            assert!(error.contains("telemetry.otlp_headers"), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
