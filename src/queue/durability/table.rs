//! The table of findings in `deploy/README.md`, made from the [`catalogue`].

use std::fmt::Write as _;

use super::catalogue::{self, Severity};

/// All findings as a Markdown table, ending in a newline.
pub fn table() -> String {
    let mut table =
        String::from("| Redis … | then | what it means | what to do |\n|---|---|---|---|\n");
    for finding in catalogue::ALL {
        let then = match (finding.severity, finding.allowed_by) {
            (Severity::Refuses, Some(key)) => format!("refused, unless `{key}`"),
            (Severity::Refuses, None) => "refused".to_owned(),
            (Severity::Fails, _) => "the check fails".to_owned(),
            (Severity::Warns, _) => "warned of".to_owned(),
            (Severity::Tells, _) => "told".to_owned(),
        };
        let todo = match finding.todo {
            "" => "–",
            todo => todo,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| {} | {then} | {} | {todo} |",
            finding.found, finding.means
        );
    }
    table
}
