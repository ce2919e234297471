//! Who comes in. Everything that shows or changes data stands behind `admit`; handlers ask it for a
//! [`Visitor`](super::Visitor) or an [`Operator`](super::Operator), and without it nobody is one.
//!
//! # Layout
//!
//! - `origin`: is the request meant for us, and does it come from one of our own pages
//! - `identity`: token, session, or an open console's stranger
//! - `form`: the body of a write, and the secret that it must carry
//! - `headers`: on every answer

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method,
        header::{CONTENT_TYPE, SET_COOKIE},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use queue::Queue;

use self::identity::Identity;
use super::{
    Console,
    access::Tokens,
    network::{Client, Peer},
    refusal::{Audience, Refusal},
    visitor::Role,
};
use crate::config::{ConsoleConfig, Network, SecureCookie};

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

/// What `[console]` says of who may come in.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Without any, everything is open to who can reach the console.
    pub tokens: Tokens,
    /// Whether viewers see xids, rows and documents.
    pub viewer_sees_people: bool,
    /// Names of the console beside its own.
    pub allowed_hosts: Vec<String>,
    /// Whether cookies are for TLS only.
    pub secure_cookie: SecureCookie,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// After which a session ends without a request.
    pub session_idle: Duration,
    /// After which it ends.
    pub session_lifetime: Duration,
}

impl Rules {
    /// Of an open console.
    pub fn open() -> Self {
        Self {
            tokens: Tokens::default(),
            viewer_sees_people: false,
            allowed_hosts: Vec::new(),
            secure_cookie: SecureCookie::Auto,
            trusted_proxies: Vec::new(),
            session_idle: Duration::from_secs(3600),
            session_lifetime: Duration::from_secs(12 * 3600),
        }
    }
}

impl From<&ConsoleConfig> for Rules {
    fn from(config: &ConsoleConfig) -> Self {
        Self {
            tokens: Tokens {
                operator: config.operator_token.clone(),
                viewer: config.viewer_token.clone(),
            },
            viewer_sees_people: config.viewer_sees_people,
            allowed_hosts: config.allowed_hosts.clone().unwrap_or_default(),
            secure_cookie: config.secure_cookie,
            trusted_proxies: config.trusted_proxies.clone().unwrap_or_default(),
            session_idle: config.session_idle,
            session_lifetime: config.session_lifetime,
        }
    }
}

/// The rules, and what is needed to keep to them.
pub struct Guard {
    /// What the configuration says.
    pub rules: Rules,
    /// Where sessions and wrong tokens are known; empty until Redis answers.
    pub queue: OnceLock<Queue>,
    /// This process's own: from it the forms of an open console get their secret.
    secret: [u8; 32],
}

impl Guard {
    /// With these rules.
    pub fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            rules,
            queue: OnceLock::new(),
            secret: rand::random(),
        })
    }

    /// Whether the browser reached us by TLS, as far as we can know. Who says so of a connection without it gets
    /// a cookie that the own browser does not send back, and harms nobody else.
    pub(super) fn is_tls(&self, headers: &HeaderMap) -> bool {
        match self.rules.secure_cookie {
            SecureCookie::Always => true,
            SecureCookie::Never => false,
            SecureCookie::Auto => headers
                .get("x-forwarded-proto")
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.split(',').next())
                .is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https")),
        }
    }

    /// Where a request comes from.
    pub(super) fn client(&self, request: &Parts) -> Client {
        let peer = request.extensions.get::<Peer>().copied();
        Client::of(peer, &request.headers, &self.rules.trusted_proxies)
    }

    fn sees_people(&self, role: Role) -> bool {
        role == Role::Operator || self.rules.viewer_sees_people
    }
}

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
) -> Result<(Identity, Body), Refusal> {
    origin::check(guard, parts)?;
    let identity = identity::of(guard, parts, audience).await?;
    if !is_write(&parts.method) {
        return Ok((identity, body));
    }
    if identity.visitor.role != Role::Operator && !is_own(parts.uri.path()) {
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
    path == super::login::LOGOUT
}

fn leaving(
    guard: Arc<Guard>,
    identity: Identity,
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
