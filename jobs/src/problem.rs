//! What is wrong with a row, one entry a problem, so that a person sees them all at once.

use std::fmt;

/// One broken rule of one field. Never holds the value itself: values are personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleViolation {
    /// The vendor's field, e.g. `contacts[WORK_PHONE].value`.
    pub field: String,
    /// The rule that it breaks, e.g. `has 140 characters, at most 100 are allowed`.
    pub rule: String,
}

impl RuleViolation {
    /// A problem of `field`.
    pub fn new(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            rule: rule.into(),
        }
    }
}

impl fmt::Display for RuleViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.rule)
    }
}

/// All problems as one sentence.
pub fn sentence(problems: &[RuleViolation]) -> String {
    problems
        .iter()
        .map(RuleViolation::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
