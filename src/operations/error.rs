//! Why an operator's request failed.

use queue::QueueError;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::reason::InvalidReason;
use crate::pipeline::producer::FetchError;

/// A problem with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Which field; empty where it is about the whole document.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Why an operator's request failed.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum OperatorError {
    /// Redis did not do it.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// It was refused, or the server can't be used.
    #[error("{message}")]
    #[diagnostic(help("{advice}"))]
    Refused {
        /// Which kind of refusal.
        why: RefusalKind,
        /// What happened.
        message: String,
        /// What to do next.
        advice: String,
        /// By field, where it is about fields.
        problems: Vec<FieldProblem>,
    },
}

/// Which kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is nothing by that name.
    NotFound,
    /// The request breaks a rule.
    Invalid,
    /// Somebody was faster.
    Conflict,
    /// A vendor did not answer as it should.
    Vendor,
    /// It can't be done now.
    Unavailable,
    /// The server lets nobody do this, or not this caller.
    Denied,
}

impl OperatorError {
    /// One that is not about fields.
    pub fn refused(
        why: RefusalKind,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Refused {
            why,
            message: message.into(),
            advice: advice.into(),
            problems: Vec::new(),
        }
    }

    /// Fields that break rules.
    pub fn invalid(message: impl Into<String>, problems: Vec<FieldProblem>) -> Self {
        Self::Refused {
            why: RefusalKind::Invalid,
            message: message.into(),
            advice: "correct the fields that are named".to_owned(),
            problems,
        }
    }

    /// One field breaks a rule.
    pub fn invalid_field(field: &str, problem: &str) -> Self {
        let problem = FieldProblem {
            field: field.to_owned(),
            problem: problem.to_owned(),
        };
        Self::invalid(
            format!("{}: {}", problem.field, problem.problem),
            vec![problem],
        )
    }

    /// Whether it was refused so.
    pub fn is(&self, kind: RefusalKind) -> bool {
        matches!(self, Self::Refused { why, .. } if *why == kind)
    }
}

impl From<InvalidReason> for OperatorError {
    fn from(error: InvalidReason) -> Self {
        Self::invalid_field("reason", &error.to_string())
    }
}

impl From<FetchError> for OperatorError {
    fn from(error: FetchError) -> Self {
        let message = error.to_string();
        match error {
            FetchError::Queue(error) => error.into(),
            FetchError::Feed(_) => Self::refused(
                RefusalKind::Vendor,
                message,
                "try again once AlumnIQ answers; what was repaired by then stays repaired",
            ),
            FetchError::Date(_) => Self::invalid_field("since", &message),
            FetchError::Full | FetchError::Sorting(_) | FetchError::Stopped => Self::refused(
                RefusalKind::Unavailable,
                message,
                "try again later; what was repaired by then stays repaired",
            ),
        }
    }
}
