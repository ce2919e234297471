//! Who comes in. Everything that shows or changes data stands behind `admit`; handlers ask it for a
//! [`Visitor`](super::Visitor) or an [`Operator`](super::Operator), and without it nobody is one.
//!
//! # Layout
//!
//! - `origin`: is the request meant for us, and does it come from one of our own pages
//! - `identity`: token, session, or an open console's stranger
//! - `form`: the body of a write, and the secret that it must carry
//! - `headers`: on every answer

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderValue, Method,
        header::{CONTENT_TYPE, SET_COOKIE},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::StreamExt;

use self::identity::CallerIdentity;
use super::{
    paths,
    refusal::{Audience, Refusal},
    role::ConsoleRole,
    rules::Guard,
    state::Console,
};

mod form;
mod headers;
mod identity;
mod origin;

pub(super) use self::{
    form::BODY_LIMIT,
    headers::add as headers,
    identity::{Knock, knock, may_look, seconds},
    origin::{check as origin, host},
};

/// How often a stream looks whether its session is still good.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Lets in who may come in, and a write only where it is meant.
pub(super) async fn admit(
    State(console): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let audience = Audience::of(&parts.method, &parts.uri);
    let guard = Arc::clone(&console.guard);
    let (identity, body) = match entering(&guard, &parts, body, audience).await {
        Ok(entered) => entered,
        Err(refusal) => return refusal.to(audience).on(&parts.uri).into_response(),
    };
    let secure = guard.is_tls(&parts.headers);
    parts.extensions.insert(identity.visitor.clone());
    let response = next.run(Request::from_parts(parts, body)).await;
    leaving(guard, identity, audience, secure, response)
}

async fn entering(
    guard: &Guard,
    parts: &Parts,
    body: Body,
    audience: Audience,
) -> Result<(CallerIdentity, Body), Refusal> {
    origin::check(guard, parts)?;
    let identity = identity::of(guard, parts, audience).await?;
    if !is_write(&parts.method) {
        return Ok((identity, body));
    }
    if identity.visitor.role != ConsoleRole::Operator && !is_own(parts.uri.path()) {
        return Err(Refusal::ViewerOnly);
    }
    let body = form::check(&identity, parts, body).await?;
    Ok((identity, body))
}

/// Everything but what only reads.
pub(super) fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What everybody may do with what is one's own.
fn is_own(path: &str) -> bool {
    path == paths::LOGOUT
}

fn leaving(
    guard: Arc<Guard>,
    identity: CallerIdentity,
    audience: Audience,
    secure: bool,
    mut response: Response,
) -> Response {
    if let (Some(id), Audience::Reader) = (&identity.new_cookie, audience) {
        response.headers_mut().append(SET_COOKIE, id.cookie(secure));
    }
    match identity.session {
        Some(session) if is_stream(&response) => {
            response.map(|body| while_good(guard, session, body))
        }
        _ => response,
    }
}

/// Whether it is a page that is watched.
pub(super) fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind: &HeaderValue| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// A stream that ends with its session.
fn while_good(guard: Arc<Guard>, session: String, body: Body) -> Body {
    let ended = async move {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let Some(queue) = guard.queue.get() else {
                continue;
            };
            // While Redis is away nobody can have logged out.
            if matches!(queue.session(&session, None).await, Ok(None)) {
                return;
            }
        }
    };
    let stream = body.into_data_stream().take_until(Box::pin(ended));
    Body::from_stream(stream)
}
