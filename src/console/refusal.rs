//! How somebody is turned away: JSON for programs, the way to the login for readers, a plain page otherwise.

use axum::{
    Json,
    http::{
        Method, StatusCode, Uri,
        header::{LOCATION, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, html};
use serde_json::json;

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
    pub fn to(self, audience: Audience) -> Refused {
        Refused {
            refusal: self,
            audience,
        }
    }

    fn told(self) -> Told {
        match self {
            Self::Nobody => Told {
                status: StatusCode::UNAUTHORIZED,
                code: "unauthenticated",
                message: "This needs a token.",
                advice: "Send `Authorization: Bearer` with console.viewer_token or console.operator_token, or log \
                         in at /login.",
            },
            Self::ViewerOnly => Told {
                status: StatusCode::FORBIDDEN,
                code: "viewer",
                message: "A viewer may look, not act.",
                advice: "Use console.operator_token, or ask somebody who has it.",
            },
        }
    }
}

/// A refusal on its way to whom it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    refusal: Refusal,
    audience: Audience,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Told {
            status,
            code,
            message,
            advice,
        } = self.refusal.told();
        match (self.audience, self.refusal) {
            (Audience::Api, refusal) => {
                let error = json!({"code": code, "message": message, "advice": advice});
                let mut response = (status, Json(json!({ "error": error }))).into_response();
                if refusal == Refusal::Nobody {
                    let challenge = axum::http::HeaderValue::from_static("Bearer");
                    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                }
                response
            }
            (Audience::Reader, Refusal::Nobody) => {
                (StatusCode::SEE_OTHER, [(LOCATION, "/login")]).into_response()
            }
            (Audience::Reader | Audience::Form, _) => {
                let page = html! {
                    (DOCTYPE)
                    html lang="en" {
                        head { meta charset="utf-8"; title { (message) } }
                        body {
                            main {
                                h1 { (message) }
                                p { (advice) }
                                p { a href="/" { "Overview" } " " a href="/login" { "Log in" } }
                            }
                        }
                    }
                };
                (status, page).into_response()
            }
        }
    }
}
