//! What goes wrong, always in the same JSON.

use axum::{
    Json,
    body::Body,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use queue::QueueError;

use crate::operations::{
    error::{OperatorError, RefusalKind},
    wire::{ErrorBody, Problem},
};

/// An answer that is no success.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    problem: Problem,
}

impl ApiError {
    /// One with the code that goes with `status`.
    pub fn new(status: StatusCode, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            status,
            problem: Problem {
                code: told(status).0.to_owned(),
                message: message.into(),
                advice: advice.into(),
                problems: Vec::new(),
            },
        }
    }

    /// A viewer asked for what tells of people.
    pub fn people_hidden() -> Self {
        let mut error = Self::new(
            StatusCode::FORBIDDEN,
            "a viewer may not see whose changes they are",
            "use console.operator_token, or set `console.viewer_sees_people`",
        );
        error.problem.code = "people_hidden".to_owned();
        error
    }

    /// The request cannot be read.
    pub fn bad_request(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message, advice)
    }

    /// A part of the program failed at it.
    pub fn failed() -> Self {
        Self::of(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What `status` means where nobody said more.
    fn of(status: StatusCode) -> Self {
        let (_, message, advice) = told(status);
        Self::new(status, message, advice)
    }
}

/// Code, message and advice where nobody says more.
fn told(status: StatusCode) -> (&'static str, &'static str, &'static str) {
    match status {
        StatusCode::UNAUTHORIZED => (
            "unauthenticated",
            "this needs a token",
            "send `Authorization: Bearer` with console.viewer_token or console.operator_token",
        ),
        StatusCode::FORBIDDEN => (
            "viewer",
            "a viewer may look, not act",
            "use console.operator_token, or ask somebody who has it",
        ),
        StatusCode::NOT_FOUND => (
            "not_found",
            "there is no such address",
            "see /api/v1/openapi.json for those that there are",
        ),
        StatusCode::METHOD_NOT_ALLOWED => (
            "method_not_allowed",
            "the address does not know this method",
            "see the header Allow, or /api/v1/openapi.json",
        ),
        StatusCode::CONFLICT => (
            "conflict",
            "it changed meanwhile",
            "read it again, then decide",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("too_large", "the body is too long", "send less at a time")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "unsupported_media_type",
            "the body is not JSON",
            "send JSON with `Content-Type: application/json`",
        ),
        StatusCode::UNPROCESSABLE_ENTITY => (
            "invalid",
            "what it asks for breaks a rule",
            "see /api/v1/openapi.json for what it takes",
        ),
        StatusCode::TOO_MANY_REQUESTS => (
            "too_many_requests",
            "too often",
            "wait as long as Retry-After says",
        ),
        StatusCode::BAD_GATEWAY => (
            "vendor",
            "a vendor did not answer as it should",
            "try again once it does",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "unavailable",
            "it cannot be answered now",
            "try again in a moment",
        ),
        status if status.is_client_error() => (
            "bad_request",
            "the request cannot be read",
            "see /api/v1/openapi.json for what it takes",
        ),
        _ => (
            "internal",
            "the program failed at this: it is a defect",
            "the log of the process says where",
        ),
    }
}

impl From<OperatorError> for ApiError {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Queue(error) => error.into(),
            OperatorError::Refused {
                why,
                message,
                advice,
                problems,
            } => {
                let status = match why {
                    RefusalKind::NotFound => StatusCode::NOT_FOUND,
                    RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
                    RefusalKind::Conflict => StatusCode::CONFLICT,
                    RefusalKind::Vendor => StatusCode::BAD_GATEWAY,
                    RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                    RefusalKind::Denied => StatusCode::FORBIDDEN,
                };
                let mut refused = Self::new(status, message, advice);
                refused.problem.problems = problems;
                refused
            }
        }
    }
}

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Redis(_) => {
                tracing::warn!(%error, "a request could not be answered");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("Redis: {error}"),
                    "try again once Redis answers; `alumniq-relay check --connect` says how it is",
                )
            }
            QueueError::Mismatch(mismatch) => {
                tracing::error!(error = %mismatch, "a request could not be answered");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    mismatch.to_string(),
                    mismatch.advice(),
                )
            }
            error => {
                tracing::error!(%error, "a request could not be answered");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    error.to_string(),
                    "another version may have written it: the log of the process says more",
                )
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.problem,
        };
        (self.status, Json(body)).into_response()
    }
}

/// Answers that the router, an extractor or a guard gave in other words become ours; theirs are kept where they
/// are JSON, and so are the headers by which a client goes on.
pub async fn in_json(response: Response<Body>) -> Response {
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if !failed || is_json(response.headers()) {
        return response;
    }
    let (parts, _) = response.into_parts();
    let mut answer = ApiError::of(status).into_response();
    for (name, value) in &parts.headers {
        if ![CONTENT_TYPE, CONTENT_LENGTH].contains(name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    answer
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}
