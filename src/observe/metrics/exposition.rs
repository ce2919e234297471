//! What `/metrics` shows: the counts of this process, and the fleet's while they are fresh.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use super::{
    definition::{MetricKind, NAMESPACE, Scope},
    names::{self, ALL},
    snapshot::{self, Growth, QueueSnapshot},
};

/// How often buffered observations are folded into buckets when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// How late the next look at the queue may come until what the last one saw is not shown any more: one failed look
/// leaves no gap, and a Redis that is away is soon not shown as if it were there.
const LATE: Duration = Duration::from_secs(10);

static INSTALLED: OnceLock<Exposition> = OnceLock::new();

/// Renders what this process has recorded and what it last read of the shared queue. Clones show the same.
#[derive(Debug, Clone)]
pub struct Exposition {
    namespace: String,
    process: PrometheusHandle,
    fleet: Arc<Mutex<Fleet>>,
}

/// The metrics of scope fleet. They are rendered when they are read: a gauge that stayed in the recorder would go on
/// showing what Redis said before it went away.
#[derive(Debug, Default)]
struct Fleet {
    /// Until when it is fresh, and what it is.
    seen: Option<(Instant, String)>,
    discarded: Growth,
}

/// Starts recording in this process; every series gets the label `namespace`. A second call returns the first one's
/// exposition. Keep [`Exposition::upkeep`] running, or the histograms' buffers grow.
pub fn install(namespace: &str) -> Exposition {
    INSTALLED
        .get_or_init(|| {
            let (exposition, recorder) = Exposition::new(namespace);
            if ::metrics::set_global_recorder(recorder).is_err() {
                tracing::error!("another metrics recorder is installed: /metrics stays empty");
            }
            exposition.start();
            exposition
        })
        .clone()
}

/// Shows what was just read of the shared queue, which is read again after `next` at the latest.
pub fn publish(snapshot: &QueueSnapshot, next: Duration) {
    if let Some(exposition) = INSTALLED.get() {
        exposition.publish(snapshot, Instant::now() + next);
    }
}

/// Shows nothing of the shared queue until it is read again.
pub fn forget_queue() {
    if let Some(exposition) = INSTALLED.get() {
        exposition.fleet().seen = None;
    }
}

impl Exposition {
    pub(super) fn new(namespace: &str) -> (Self, PrometheusRecorder) {
        let recorder = recorder(namespace);
        let exposition = Self {
            namespace: namespace.to_owned(),
            process: recorder.handle(),
            fleet: Arc::default(),
        };
        (exposition, recorder)
    }

    /// Describes this process's metrics to the current recorder.
    pub(super) fn start(&self) {
        describe(Scope::Process);
        names::BUILD_INFO.set_flag([env!("CARGO_PKG_VERSION")], true);
        names::REDIS_UP.set_flag([], false);
        // Descriptions become visible at the next upkeep.
        self.process.run_upkeep();
    }

    pub(super) fn publish(&self, snapshot: &QueueSnapshot, next: Instant) {
        let mut fleet = self.fleet();
        let discarded = fleet.discarded.of(snapshot.books.discarded);
        let recorder = recorder(&self.namespace);
        ::metrics::with_local_recorder(&recorder, || {
            describe(Scope::Fleet);
            snapshot::set(snapshot, discarded);
        });
        fleet.seen = Some((next + LATE, recorder.handle().render()));
    }

    /// The text exposition.
    pub fn render(&self) -> String {
        self.render_at(Instant::now())
    }

    pub(super) fn render_at(&self, now: Instant) -> String {
        let mut text = self.process.render();
        if let Some((fresh_until, fleet)) = &self.fleet().seen
            && now <= *fresh_until
        {
            text += fleet;
        }
        text
    }

    /// Keeps the histograms' memory bounded; never returns.
    pub async fn upkeep(self) -> Infallible {
        let mut ticks = tokio::time::interval(UPKEEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.process.run_upkeep();
        }
    }

    /// Nothing panics while it is held, and it is whole after every statement.
    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A recorder with the buckets of every histogram.
fn recorder(namespace: &str) -> PrometheusRecorder {
    ALL.iter()
        .filter(|metric| metric.kind == MetricKind::Histogram)
        .fold(PrometheusBuilder::new(), |builder, metric| {
            let matcher = Matcher::Full(metric.name.to_owned());
            // The one error is an empty bucket list, which a test rules out for every definition.
            match builder.set_buckets_for_metric(matcher, metric.buckets) {
                Ok(builder) => builder,
                Err(_) => unreachable!("{} has no buckets", metric.name),
            }
        })
        .add_global_label(NAMESPACE, namespace)
        .build_recorder()
}

fn describe(scope: Scope) {
    for metric in ALL.iter().filter(|metric| metric.scope == scope) {
        metric.start();
    }
}
