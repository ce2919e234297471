//! What a metric is: its definition, and the three kinds that values are recorded through.

use ::metrics::Label;

/// Everything that is known about one metric.
#[derive(Debug)]
pub struct Definition {
    /// The full name, prefix included.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// What one unit of the value is.
    pub unit: &'static str,
    /// The names of the labels, in the order in which they are written.
    pub labels: &'static [&'static str],
    /// Whose value it is.
    pub scope: Scope,
    /// One sentence for operators: the `# HELP` line and the README's table.
    pub help: &'static str,
    /// Upper bounds of a histogram's buckets, ascending; empty for other kinds.
    pub buckets: &'static [f64],
}

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts at 0 with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// Whose value a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This process's own: sum it over instances.
    Process,
    /// The shared queue's, the same from every process: take the maximum, never the sum.
    Fleet,
}

/// A counter whose `N` labels the compiler counts.
pub(super) struct Counter<const N: usize>(pub(super) &'static Definition);

/// A gauge, likewise.
pub(super) struct Gauge<const N: usize>(pub(super) &'static Definition);

/// A histogram, likewise.
pub(super) struct Histogram<const N: usize>(pub(super) &'static Definition);

impl<const N: usize> Counter<N> {
    pub(super) fn add(&self, values: [&str; N], count: u64) {
        #[expect(clippy::disallowed_macros, reason = "the one place that counts")]
        ::metrics::counter!(self.0.name, labels(self.0, values)).increment(count);
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
        ::metrics::gauge!(self.0.name, labels(self.0, values)).set(value);
    }
}

impl<const N: usize> Histogram<N> {
    pub(super) fn observe(&self, values: [&str; N], value: f64) {
        #[expect(clippy::disallowed_macros, reason = "the one place that observes")]
        ::metrics::histogram!(self.0.name, labels(self.0, values)).record(value);
    }
}

fn labels<const N: usize>(definition: &Definition, values: [&str; N]) -> Vec<Label> {
    definition
        .labels
        .iter()
        .zip(values)
        .map(|(name, value)| Label::new(*name, value.to_owned()))
        .collect()
}
