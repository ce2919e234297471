//! One trace a change, from its fetch to its acknowledgement, made by whichever processes work on it.
//!
//! ```text
//! change                          by the process whose PUT AlumnIQ accepted
//! |- fetch                        by the producer; the GET is its child
//! |- apply to crm                 one an attempt, its calls (token, update) are its children
//! |- apply to salsa               likewise (search, put)
//! '- acknowledge                  one a PUT that names the change, which is its child
//! ```
//!
//! No context travels with the change: `identity` makes the trace's name, and that of its root, out of what every
//! process knows. A call that carries many changes has a span in the trace of each, so that every trace is whole;
//! all of them hold the call's request id, which finds the others.
//!
//! - `identity`: which trace; `span`: steps as OpenTelemetry's spans; `exporter`: the way to the collector

mod exporter;
mod identity;
mod span;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use jobs::call_log::CallLog;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanProcessor};
use tokio_util::sync::CancellationToken;

use self::identity::TraceIds;
use crate::{config::TelemetryConfig, vendors::ClientError};

/// How long the end of a process waits for the collector.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Where steps are told. Clones are one; by default nobody listens.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Tracer>>);

struct Tracer {
    namespace: String,
    worker: String,
    sample_ratio: f64,
    batches: BatchSpanProcessor,
    closing: CancellationToken,
}

/// One step of a change's way that is over.
#[derive(Debug)]
pub struct TraceStep<'a> {
    /// Which change.
    pub change_id: &'a str,
    /// When it was fetched first, ms by Redis' clock.
    pub fetched_at: u64,
    /// `fetch`, `apply to crm`, `apply to salsa` or `acknowledge`.
    pub name: &'static str,
    /// Where an attempt was made.
    pub destination: Option<&'static str>,
    /// Which attempt, from 1.
    pub attempt: Option<u32>,
    /// What came of it.
    pub outcome: &'static str,
    /// Why it failed, if it did.
    pub failure: Option<&'a str>,
    /// When it began.
    pub begun: SystemTime,
    /// When it had ended: before the queue heard of it, because what follows from it may be over before whoever told
    /// the queue goes on.
    pub ended: SystemTime,
    /// The calls that were made for it.
    pub call_log: &'a CallLog,
}

impl Traces {
    /// Traces to the collector that is configured; to nobody where none is. Needs a runtime.
    ///
    /// # Errors
    /// The collector's address or headers cannot be used.
    pub fn start(
        config: &TelemetryConfig,
        namespace: &str,
        worker: &str,
    ) -> Result<Self, ClientError> {
        let Some(url) = &config.otlp_url else {
            return Ok(Self::default());
        };
        let closing = CancellationToken::new();
        let resource = span::resource(namespace, worker);
        let headers = config.otlp_headers.as_ref();
        Ok(Self(Some(Arc::new(Tracer {
            namespace: namespace.to_owned(),
            worker: worker.to_owned(),
            sample_ratio: config.sample_ratio,
            batches: exporter::batches(url.as_str(), headers, &resource, closing.clone())?,
            closing,
        }))))
    }

    /// Tells a step. Never waits.
    pub fn step(&self, step: &TraceStep<'_>) {
        if let Some((tracer, identity)) = self.sampled(step.change_id, step.fetched_at) {
            for span in span::of_step(&identity, step, &tracer.worker) {
                tracer.batches.on_end(span);
            }
        }
    }

    /// AlumnIQ was told of the change: its trace has its root.
    pub fn acknowledged(&self, change_id: &str, fetched_at: u64, outcome: &'static str) {
        if let Some((tracer, identity)) = self.sampled(change_id, fetched_at) {
            let root = span::root(&identity, change_id, fetched_at, outcome, &tracer.worker);
            tracer.batches.on_end(root);
        }
    }

    /// Sends what waits, for as long as the end of a process may take.
    pub async fn finish(&self) {
        if let Some(tracer) = self.0.clone() {
            tracer.closing.cancel();
            let sending = move || tracer.batches.shutdown_with_timeout(LAST_WORDS);
            if !matches!(tokio::task::spawn_blocking(sending).await, Ok(Ok(()))) {
                tracing::warn!("ending although the collector has not taken every trace");
            }
        }
    }

    fn sampled(&self, change_id: &str, fetched_at: u64) -> Option<(&Tracer, TraceIds)> {
        let tracer = self.0.as_deref()?;
        let identity = TraceIds::of(&tracer.namespace, change_id, fetched_at);
        identity
            .is_sampled(tracer.sample_ratio)
            .then_some((tracer, identity))
    }
}
