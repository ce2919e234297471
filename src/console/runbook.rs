//! `/runbook`, for a browser. It is the same for everybody and holds no data, so it needs no token.

use axum::{
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    response::IntoResponse,
};

use crate::runbook;

/// No script, no frame, nothing from elsewhere: only our own style sheet.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
pub(super) async fn page() -> impl IntoResponse {
    answer("text/html; charset=utf-8", runbook::page())
}

/// Its style sheet.
pub(super) async fn style() -> impl IntoResponse {
    answer("text/css; charset=utf-8", runbook::STYLE)
}

fn answer(kind: &'static str, body: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        // The next version's may say something else.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, body)
}
