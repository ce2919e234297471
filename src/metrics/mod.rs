//! What is measured, for Prometheus.
//!
//! # Layout
//!
//! - `names`: every metric once: name, kind, labels, unit, scope, help, buckets
//! - `record`: one typed function per event; `snapshot`: the gauges of the shared queue
//! - [`mod@table`]: the README's table, made from the definitions
//! - `definition`: the only code that touches the `metrics` crate's macros (`clippy.toml` bans them elsewhere)
//!
//! Labels hold wire names, never anything of a person or a row's values.

mod definition;
mod names;
mod record;
mod snapshot;
pub mod table;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

pub use self::{
    definition::{Definition, Kind, Scope},
    names::ALL,
    record::*,
    snapshot::{ALUMNIQ, DestinationSnapshot, QueueSnapshot, publish},
};

/// How often buffered observations are folded into buckets when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts recording in this process and returns what `/metrics` is rendered from. A second call returns
/// the same handle. Keep [`upkeep`] running, or the histograms' buffers grow.
pub fn install() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = recorder();
            let handle = recorder.handle();
            if ::metrics::set_global_recorder(recorder).is_err() {
                tracing::error!("another metrics recorder is installed: /metrics stays empty");
            }
            start(&handle);
            handle
        })
        .clone()
}

/// Keeps the histograms' memory bounded; never returns.
pub async fn upkeep(handle: PrometheusHandle) -> Infallible {
    let mut ticks = tokio::time::interval(UPKEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

/// A recorder with the buckets of every histogram.
fn recorder() -> PrometheusRecorder {
    ALL.iter()
        .filter(|metric| metric.kind == Kind::Histogram)
        .fold(PrometheusBuilder::new(), |builder, metric| {
            let matcher = Matcher::Full(metric.name.to_owned());
            // The one error is an empty bucket list, which a test rules out for every definition.
            match builder.set_buckets_for_metric(matcher, metric.buckets) {
                Ok(builder) => builder,
                Err(_) => unreachable!("{} has no buckets", metric.name),
            }
        })
        .build_recorder()
}

/// Describes every metric to the current recorder, and starts the counters without labels at 0, so that
/// `rate()` sees their first increment.
#[expect(
    clippy::disallowed_macros,
    reason = "the one place that describes metrics"
)]
fn start(handle: &PrometheusHandle) {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => ::metrics::describe_counter!(metric.name, metric.help),
            Kind::Gauge => ::metrics::describe_gauge!(metric.name, metric.help),
            Kind::Histogram => ::metrics::describe_histogram!(metric.name, metric.help),
        }
        if metric.kind == Kind::Counter && metric.labels.is_empty() {
            ::metrics::counter!(metric.name).increment(0);
        }
    }
    names::BUILD_INFO.set_flag([env!("CARGO_PKG_VERSION")], true);
    // Descriptions become visible at the next upkeep.
    handle.run_upkeep();
}
