//! The body of a write, and the secret that it must carry where a browser sends credentials by itself.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    http::{
        header::{CONTENT_LENGTH, CONTENT_TYPE},
        request::Parts,
    },
};
use tokio::time::timeout;

use super::identity::CallerIdentity;
use crate::{
    console::{refusal::Refusal, session::same},
    operations::wire::NAME_HEADER,
};

/// What a script sends instead of the field.
const CSRF_HEADER: &str = "x-csrf-token";

/// The field of forms.
const CSRF_FIELD: &str = "csrf";

/// More does nobody need: a row with every field, or some thousand ids.
pub const BODY_LIMIT: usize = 256 * 1024;

/// For a whole body.
const IN_TIME: Duration = Duration::from_secs(20);

/// Takes the body in and holds the request against what this browser's own pages know.
pub async fn check(identity: &CallerIdentity, parts: &Parts, body: Body) -> Result<Body, Refusal> {
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let length = header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_LIMIT) {
        return Err(Refusal::TooLarge);
    }
    let whole = timeout(IN_TIME, to_bytes(body, BODY_LIMIT)).await;
    let body = whole
        .map_err(|_| Refusal::Slow)?
        .map_err(|_| Refusal::TooLarge)?;
    let Some(expected) = &identity.visitor.csrf else {
        return Ok(Body::from(body));
    };
    let kind = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let given = match header(CSRF_HEADER) {
        Some(given) => Some(given.to_owned()),
        None if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") => {
            let mut fields = form_urlencoded::parse(&body);
            let field = fields.find(|(name, _)| name == CSRF_FIELD);
            field.map(|(_, value)| value.into_owned())
        }
        None => None,
    };
    let is_meant = match given {
        Some(given) => same(&given, expected),
        // A program at an open console. No page from elsewhere can send these without being asked first whether it
        // may, and we never say yes.
        None => {
            let is_named = parts.headers.contains_key(NAME_HEADER);
            identity.is_stranger && (is_named || kind.eq_ignore_ascii_case("application/json"))
        }
    };
    if is_meant {
        Ok(Body::from(body))
    } else {
        Err(Refusal::Csrf)
    }
}
