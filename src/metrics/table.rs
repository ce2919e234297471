//! The table of metrics in the README, made from the definitions and held against them by a test.

use std::fmt::Write as _;

use super::{
    definition::{Kind, Scope},
    names,
};

/// The line before the table.
pub const BEGIN: &str = "<!-- metrics:begin -->";
/// The line after the table.
pub const END: &str = "<!-- metrics:end -->";

/// The README's table and the definitions disagree.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A marker is missing.
    #[error("the text has no `{BEGIN}` … `{END}` section for the table of metrics")]
    NoSection,
    /// The table is not the one that the definitions give.
    #[error("the table of metrics is out of date; put this between its markers:\n{expected}")]
    OutOfDate {
        /// The right table.
        expected: String,
    },
}

/// All metrics as a Markdown table, ending in a newline.
pub fn table() -> String {
    let mut table = String::from(
        "| metric | kind | labels | unit | scope | meaning |\n|---|---|---|---|---|---|\n",
    );
    for metric in names::ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let scope = match metric.scope {
            Scope::Process => "process",
            Scope::Fleet => "fleet",
        };
        let labels = match metric.labels {
            [] => "–".to_owned(),
            labels => format!("`{}`", labels.join("`, `")),
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

/// Whether the section of `document` between [`BEGIN`] and [`END`] is [`table()`].
///
/// # Errors
/// The markers are missing, or the table differs; the error then holds the right one.
pub fn check(document: &str) -> Result<(), TableError> {
    let (_, rest) = document.split_once(BEGIN).ok_or(TableError::NoSection)?;
    let (found, _) = rest.split_once(END).ok_or(TableError::NoSection)?;
    let expected = table();
    if found.trim() == expected.trim() {
        Ok(())
    } else {
        Err(TableError::OutOfDate { expected })
    }
}
