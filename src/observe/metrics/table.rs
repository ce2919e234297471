//! The table of metrics in `deploy/README.md`, made from the definitions.

use std::fmt::Write as _;

use super::{
    definition::{MetricKind, Scope},
    names,
};

/// All metrics as a Markdown table, ending in a newline.
pub fn table() -> String {
    let mut table = String::from(
        "| metric | kind | labels | unit | scope | meaning |\n|---|---|---|---|---|---|\n",
    );
    for metric in names::ALL {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let scope = match metric.scope {
            Scope::Process => "process",
            Scope::Fleet => "fleet",
        };
        let labels = match metric.labels {
            [] => "–".to_owned(),
            labels => {
                let names: Vec<_> = labels.iter().map(|label| label.name).collect();
                format!("`{}`", names.join("`, `"))
            }
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {kind} | {labels} | {} | {scope} | {} |",
            metric.name, metric.unit, metric.help
        );
    }
    table
}
