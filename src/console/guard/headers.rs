//! On every answer, whatever made it.

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::Response,
};

use crate::console::state::Console;

/// Only what we ourselves serve, nothing inline, no frame around us.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What an answer may say otherwise for itself.
const USUALLY: [(HeaderName, &str); 2] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    // What is shown today may be nobody's business tomorrow, on a computer that several people use.
    (CACHE_CONTROL, "no-store"),
];

const ALWAYS: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// Half a year, for this host alone.
const TLS_ONLY: &str = "max-age=15552000";

/// Puts them on.
pub async fn add(State(console): State<Console>, request: Request, next: Next) -> Response {
    let tls = console.guard.is_tls(request.headers());
    let mut response = next.run(request).await;
    put(response.headers_mut(), tls);
    response
}

fn put(headers: &mut HeaderMap, tls: bool) {
    for (name, value) in USUALLY {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if tls {
        let value = HeaderValue::from_static(TLS_ONLY);
        headers.insert(STRICT_TRANSPORT_SECURITY, value);
    }
}
