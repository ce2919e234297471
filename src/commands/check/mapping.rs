//! What is to be said of the mapping: examples that fail, and what does nothing.

use miette::Report;

use super::CheckFinding;
use crate::{
    config::{self, Loaded},
    observe::logs,
};

/// A line each, and the place in the file where there is one.
pub fn findings(loaded: &Loaded) -> Vec<(CheckFinding, Option<config::ConfigFinding>)> {
    let runs = loaded.run_examples();
    let (tried, failed) = (
        runs.len(),
        runs.iter().filter(|run| run.finding.is_some()).count(),
    );
    let hold = match (tried, failed) {
        (0, _) | (_, 1..) => None,
        (1, 0) => Some(CheckFinding::ok("map", "the example holds")),
        (all, 0) => Some(CheckFinding::ok("map", format!("all {all} examples hold"))),
    };
    let failed = runs
        .into_iter()
        .filter_map(|run| run.finding)
        .map(|finding| {
            let line = CheckFinding::fail("map", place(&finding), remedy(&finding));
            (line, Some(finding))
        });
    let lints = loaded.lint().into_iter().map(|finding| {
        let line = CheckFinding::warn("map", place(&finding), remedy(&finding));
        (line, Some(finding))
    });
    let hold = hold.into_iter().map(|line| (line, None));
    hold.chain(failed).chain(lints).collect()
}

/// Shows them in the file, on stderr like every warning.
pub fn point_at(findings: Vec<(CheckFinding, Option<config::ConfigFinding>)>) {
    for finding in findings.into_iter().filter_map(|(_, finding)| finding) {
        logs::tell(format_args!("{:?}", Report::new(finding)));
    }
}

/// What, and where in the file.
pub fn place(finding: &config::ConfigFinding) -> String {
    match finding.location() {
        Some(location) => format!("{location}: {}", finding.message()),
        None => finding.message().to_owned(),
    }
}

/// What to do, if anything.
pub fn remedy(finding: &config::ConfigFinding) -> String {
    finding.remedy().unwrap_or_default().to_owned()
}
