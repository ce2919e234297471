//! How somebody is turned away: JSON for programs, the way to the login for readers, a plain page otherwise.

use axum::{
    Json,
    http::{
        HeaderValue, Method, StatusCode, Uri,
        header::{LOCATION, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use maud::html;
use serde_json::json;

use super::{pages::outside, paths};

/// Who reads the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A program, below `/api`.
    Api,
    /// A person who opens a page.
    Reader,
    /// A person who sent a form.
    Form,
}

impl Audience {
    /// Of a request.
    pub fn of(method: &Method, uri: &Uri) -> Self {
        match uri.path() {
            "/api" => Self::Api,
            path if path.starts_with("/api/") => Self::Api,
            _ if matches!(*method, Method::GET | Method::HEAD) => Self::Reader,
            _ => Self::Form,
        }
    }
}

/// Why somebody is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No token and no session, or none that is good.
    Nobody,
    /// A viewer wanted to act.
    ViewerOnly,
    /// The request names a host that is none of ours.
    Host,
    /// A page of somebody else's sent it.
    Foreign,
    /// It does not carry what our own pages put into their forms.
    Csrf,
    /// Too many wrong tokens came; how many seconds none counts.
    Throttled(u64),
    /// Sessions cannot be looked up: Redis does not answer.
    Away,
    /// The body is too large.
    TooLarge,
    /// The body does not come.
    Slow,
}

/// What is told of a refusal.
struct Told {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    advice: &'static str,
}

impl Refusal {
    /// Told to `audience`.
    pub fn to(self, audience: Audience) -> RefusalResponse {
        RefusalResponse {
            refusal: self,
            audience,
            wanted: None,
        }
    }

    fn told(self) -> Told {
        let (status, code, message, advice) = match self {
            Self::Nobody => (
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "This needs a token or a login.",
                "Log in at /login, or send `Authorization: Bearer` with console.viewer_token or \
                 console.operator_token.",
            ),
            Self::ViewerOnly => (
                StatusCode::FORBIDDEN,
                "viewer",
                "A viewer may look, not act.",
                "Use console.operator_token, or ask somebody who has it.",
            ),
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "unknown_host",
                "The console is not known under this name.",
                "Open it as localhost or 127.0.0.1, or add the name to `console.allowed_hosts`.",
            ),
            Self::Foreign => (
                StatusCode::FORBIDDEN,
                "foreign_page",
                "Another website sent this request; nothing was done.",
                "Act from the console's own pages. If this is one of them, a proxy rewrites `Host`: add the \
                 console's public name to `console.allowed_hosts`.",
            ),
            Self::Csrf => (
                StatusCode::FORBIDDEN,
                "csrf",
                "The form is out of date; nothing was done.",
                "Go back, reload the page and try again; cookies must be allowed. A program sends a bearer token, \
                 or without tokens JSON.",
            ),
            Self::Throttled(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "throttled",
                "Too many wrong tokens came from there.",
                "Wait as many seconds as `Retry-After` says, at most 60; until then not even the right one counts.",
            ),
            Self::Away => (
                StatusCode::SERVICE_UNAVAILABLE,
                "redis_away",
                "Logins are kept in Redis, and Redis does not answer.",
                "Try again in a moment; /readyz says how this process is, and the log why.",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The request is too large; nothing was done.",
                "Send less at a time, or use a filter instead of a list.",
            ),
            Self::Slow => (
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "The request did not arrive in time; nothing was done.",
                "Try again.",
            ),
        };
        Told {
            status,
            code,
            message,
            advice,
        }
    }
}

/// A refusal on its way to whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalResponse {
    refusal: Refusal,
    audience: Audience,
    /// The page that was asked for: after the login it is opened.
    wanted: Option<String>,
}

impl RefusalResponse {
    /// While this was asked for.
    pub fn on(mut self, uri: &Uri) -> Self {
        self.wanted = uri.path_and_query().map(ToString::to_string);
        self
    }
}

impl IntoResponse for RefusalResponse {
    fn into_response(self) -> Response {
        let told = self.refusal.told();
        let mut response = match (self.audience, self.refusal) {
            (Audience::Api, _) => {
                let error =
                    json!({"code": told.code, "message": told.message, "advice": told.advice});
                (told.status, Json(json!({ "error": error }))).into_response()
            }
            (Audience::Reader, Refusal::Nobody) => {
                let login = paths::address(self.wanted.as_deref().unwrap_or_default());
                return (StatusCode::SEE_OTHER, [(LOCATION, login)]).into_response();
            }
            (Audience::Reader | Audience::Form, _) => {
                let content = html! {
                    p { (told.advice) }
                    p { a href="/" { "Overview" } " · " a href="/login" { "Log in" } }
                };
                (told.status, outside::page(told.message, &content)).into_response()
            }
        };
        if self.refusal == Refusal::Nobody {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Refusal::Throttled(seconds) = self.refusal {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
