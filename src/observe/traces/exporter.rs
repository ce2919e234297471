//! The way to the collector: OTLP over HTTP, in batches, beside the pipeline and never in its way.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use jobs::reply::{Reply, with_advice};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SpanProcessor},
};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::vendors::{ClientError, ClientSettings, Http, Timeouts, secret_header};

/// Behind the collector's address.
const ROOT: &str = "v1/traces";

/// How many spans wait for the collector at the most; what comes on top of them is dropped.
const WAITING: usize = 8_192;

/// How many spans one call carries at the most.
const SPANS_A_CALL: usize = 512;

/// How long a span waits for fellows.
const LINGER: Duration = Duration::from_secs(1);

/// How long one call may take.
const CALL: Duration = Duration::from_secs(10);

/// How soon a collector that is down is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Takes spans and sends them in batches, one at a time, to the collector at `url`. Needs a runtime.
pub(super) fn batches(
    url: &str,
    headers: Option<&SecretString>,
    resource: &Resource,
    closing: CancellationToken,
) -> Result<BatchSpanProcessor, ClientError> {
    const KEY: &str = "telemetry.otlp_url";
    let settings = ClientSettings {
        timeouts: Timeouts::within(CALL),
        ..ClientSettings::default()
    };
    let secrets: Vec<&SecretString> = headers.into_iter().collect();
    let client = Client {
        collector: Arc::new(Collector {
            http: Http::new("collector", KEY, url, &secrets, settings)?.under(ROOT),
            headers: headers.map(read_headers).transpose()?.unwrap_or_default(),
            closing,
            is_down: AtomicBool::new(false),
        }),
        runtime: Handle::current(),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(url)
        .with_protocol(Protocol::HttpBinary)
        // The library gives a batch up after some seconds; `Collector::deliver` does not.
        .with_retry_policy(RetryPolicy::disabled())
        .build()
        .map_err(|error| ClientError::Setup {
            key: KEY,
            cause: error.to_string(),
        })?;
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(WAITING)
        .with_max_export_batch_size(SPANS_A_CALL)
        .with_scheduled_delay(LINGER)
        .build();
    let mut batches = BatchSpanProcessor::new(exporter, config);
    batches.set_resource(resource);
    Ok(batches)
}

/// What the library sends with, from a thread of its own that has no runtime.
struct Client {
    collector: Arc<Collector>,
    runtime: Handle,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let collector = Arc::clone(&self.collector);
        let delivery = self
            .runtime
            .spawn(async move { collector.deliver(request).await });
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = delivery.await?.try_into()?;
        Ok(response)
    }
}

/// Where the traces go.
struct Collector {
    http: Http,
    headers: HeaderMap,
    closing: CancellationToken,
    is_down: AtomicBool,
}

impl Collector {
    /// Sends a batch until the collector takes it or refuses it for good; after `closing` once. Returns the status.
    async fn deliver(&self, batch: Request<Bytes>) -> u16 {
        loop {
            let (status, cause) = self.post(&batch).await;
            match status {
                200..=299 => self.is_up(),
                _ => self.is_down(&cause),
            }
            // These are the ones that OTLP lets a client repeat.
            if !matches!(status, 429 | 502 | 503 | 504) || self.closing.is_cancelled() {
                return status;
            }
            let waiting = tokio::time::sleep(ASK_AGAIN);
            let _ = self.closing.run_until_cancelled(waiting).await;
        }
    }

    /// The status, and its description. Without an answer it is 503.
    async fn post(&self, batch: &Request<Bytes>) -> (u16, String) {
        let request = self
            .http
            .request(Method::POST, "")
            .headers(batch.headers().clone())
            .headers(self.headers.clone())
            .body(batch.body().clone());
        match self.http.call("export", request, None).await.reply {
            Reply::Answer(answer) => (answer.status, format!("it answered {}", answer.status)),
            Reply::Unreachable { cause, advice } => (503, with_advice(&cause, advice.as_deref())),
            Reply::Lost { cause } => (503, cause),
        }
    }

    /// Logs once that the traces are not delivered.
    fn is_down(&self, cause: &str) {
        if !self.is_down.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                cause,
                "the collector takes no traces; changes go on, and a part of the traces may be lost"
            );
        }
    }

    /// Logs once that they are again.
    fn is_up(&self) {
        if self.is_down.swap(false, Ordering::Relaxed) {
            tracing::info!("the collector takes traces again");
        }
    }
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
