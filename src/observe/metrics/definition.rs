//! What a metric is: its definition, and the three kinds that values are recorded through.

/// Everything that is known about one metric.
#[derive(Debug)]
pub struct MetricDefinition {
    /// The full name, prefix included.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricKind,
    /// What one unit of the value is.
    pub unit: &'static str,
    /// The labels, in the order in which their values are written. Beside them every series has [`NAMESPACE`].
    pub labels: &'static [Label],
    /// Whose value it is.
    pub scope: Scope,
    /// One sentence for operators: the `# HELP` line and the documents' table.
    pub help: &'static str,
    /// Upper bounds of a histogram's buckets, ascending; empty for other kinds.
    pub buckets: &'static [f64],
}

/// The label of every series: two campuses in one Prometheus never mix, whatever its scrape config says.
pub const NAMESPACE: &str = "namespace";

/// A label of a metric.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Every value that it can have, where they are a closed set.
    pub values: Option<fn() -> Vec<&'static str>>,
}

impl Label {
    /// With values that are known only as they come.
    pub(super) const fn open(name: &'static str) -> Self {
        Self { name, values: None }
    }

    /// With values that are known beforehand: a counter over them starts at 0.
    pub(super) const fn closed(name: &'static str, values: fn() -> Vec<&'static str>) -> Self {
        Self {
            name,
            values: Some(values),
        }
    }
}

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, but for a new start of its process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// Whose value a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This process's own: `sum by (namespace, …)`.
    Process,
    /// The shared queue's, the same from every process: `max by (namespace, …)`, never the sum.
    Fleet,
}

/// A counter whose `N` labels the compiler counts.
pub(super) struct Counter<const N: usize>(pub(super) &'static MetricDefinition);

/// A gauge, likewise.
pub(super) struct Gauge<const N: usize>(pub(super) &'static MetricDefinition);

/// A histogram, likewise.
pub(super) struct Histogram<const N: usize>(pub(super) &'static MetricDefinition);

impl<const N: usize> Counter<N> {
    pub(super) fn add(&self, values: [&str; N], count: u64) {
        #[expect(clippy::disallowed_macros, reason = "the one place that counts")]
        ::metrics::counter!(self.0.name, labels(self.0, &values)).increment(count);
    }
}

impl<const N: usize> Gauge<N> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "the exposition has only f64; exact to 2^53"
    )]
    pub(super) fn set_count(&self, values: [&str; N], count: u64) {
        self.set(values, count as f64);
    }

    pub(super) fn set_flag(&self, values: [&str; N], flag: bool) {
        self.set(values, f64::from(u8::from(flag)));
    }

    pub(super) fn set(&self, values: [&str; N], value: f64) {
        #[expect(clippy::disallowed_macros, reason = "the one place that sets a gauge")]
        ::metrics::gauge!(self.0.name, labels(self.0, &values)).set(value);
    }
}

impl<const N: usize> Histogram<N> {
    pub(super) fn observe(&self, values: [&str; N], value: f64) {
        #[expect(clippy::disallowed_macros, reason = "the one place that observes")]
        ::metrics::histogram!(self.0.name, labels(self.0, &values)).record(value);
    }
}

impl MetricDefinition {
    /// Every combination of the label values; `None` where a label's are not known beforehand.
    pub(super) fn series(&self) -> Option<Vec<Vec<&'static str>>> {
        let mut series = vec![Vec::new()];
        for label in self.labels {
            let values = label.values?();
            series = series
                .iter()
                .flat_map(|before| values.iter().map(|value| [&before[..], &[*value]].concat()))
                .collect();
        }
        Some(series)
    }

    /// Tells the current recorder what it is, and starts what is counted at 0 where the series are known, so that
    /// `rate()` sees the first increment.
    #[expect(
        clippy::disallowed_macros,
        reason = "the one place that describes metrics"
    )]
    pub(super) fn start(&self) {
        match self.kind {
            MetricKind::Counter => ::metrics::describe_counter!(self.name, self.help),
            MetricKind::Gauge => ::metrics::describe_gauge!(self.name, self.help),
            MetricKind::Histogram => ::metrics::describe_histogram!(self.name, self.help),
        }
        for values in self.series().unwrap_or_default() {
            match self.kind {
                MetricKind::Counter => {
                    ::metrics::counter!(self.name, labels(self, &values)).increment(0);
                }
                MetricKind::Histogram => {
                    drop(::metrics::histogram!(self.name, labels(self, &values)))
                }
                // Nobody has looked yet: 0 would be an answer.
                MetricKind::Gauge => {}
            }
        }
    }
}

fn labels(definition: &MetricDefinition, values: &[&str]) -> Vec<::metrics::Label> {
    definition
        .labels
        .iter()
        .zip(values)
        .map(|(label, value)| ::metrics::Label::new(label.name, (*value).to_owned()))
        .collect()
}
