//! Who asks: the bearer of a token, somebody who logged in, or anybody where the console is open.

use std::time::Duration;

use axum::http::request::Parts;
use queue::{
    Queue,
    audit::{Actor, AuditAction, Note, Via},
    sessions::{Knocked, LoginMethod, Session},
};
use secrecy::ExposeSecret;
use tokio::time::{sleep, timeout};

use crate::console::{
    access::Access,
    network::Client,
    refusal::{Audience, Refusal},
    role::ConsoleRole,
    rules::Guard,
    session::{SessionId, same},
    visitor::{self, Visitor},
};

/// Longer is not waited for Redis before a bearer token is judged: `/metrics` must answer while it is away.
const REDIS_IN_TIME: Duration = Duration::from_millis(500);

/// While Redis is away it cannot count: whoever presents a wrong token waits at least.
const WITHOUT_REDIS: Duration = Duration::from_secs(1);

/// Below it, a page asks by itself: nobody's presence is proved.
const LIVE: &str = "/live";

/// Somebody, and how they were recognised.
pub struct CallerIdentity {
    /// What handlers see.
    pub visitor: Visitor,
    /// The key of their session.
    pub session: Option<String>,
    /// The cookie that they need yet.
    pub new_cookie: Option<SessionId>,
    /// Whether the console is open and no cookie came: perhaps no browser, then.
    pub is_stranger: bool,
}

/// Of a request.
pub async fn of(
    guard: &Guard,
    request: &Parts,
    audience: Audience,
) -> Result<CallerIdentity, Refusal> {
    let headers = &request.headers;
    let secure = guard.is_tls(headers);
    let as_role =
        |role: ConsoleRole, name: String, csrf: Option<String>, logged_in: bool| Visitor {
            actor: Actor {
                name,
                via: audience.via(),
            },
            role,
            sees_people: guard.sees_people(role),
            csrf,
            logged_in,
        };
    match guard.rules.tokens.access(headers) {
        Access::Open => {
            let sent = SessionId::of(headers, secure);
            let is_stranger = sent.is_none();
            let id = sent.unwrap_or_else(SessionId::random);
            let name = visitor::name(headers, ConsoleRole::Operator);
            Ok(CallerIdentity {
                visitor: as_role(
                    ConsoleRole::Operator,
                    name,
                    Some(id.csrf(&guard.secret)),
                    false,
                ),
                session: None,
                new_cookie: is_stranger.then_some(id),
                is_stranger,
            })
        }
        Access::Bearer(role) => {
            admitted(knock(guard, LoginMethod::Bearer, request, Some(role)).await)?;
            Ok(CallerIdentity {
                visitor: as_role(role, visitor::name(headers, role), None, false),
                session: None,
                new_cookie: None,
                is_stranger: false,
            })
        }
        Access::Wrong => {
            admitted(knock(guard, LoginMethod::Bearer, request, None).await)?;
            Err(Refusal::Nobody)
        }
        Access::None => {
            let id = SessionId::of(headers, secure).ok_or(Refusal::Nobody)?;
            let (session, role) = session(guard, &id, !is_live(request)).await?;
            Ok(CallerIdentity {
                visitor: as_role(role, session.name, Some(id.csrf(b"")), true),
                session: Some(id.key()),
                new_cookie: None,
                is_stranger: false,
            })
        }
    }
}

/// The session of `id`, unless the token that it was opened with is no longer ours.
async fn session(
    guard: &Guard,
    id: &SessionId,
    renew: bool,
) -> Result<(Session, ConsoleRole), Refusal> {
    let queue = guard.queue.get().ok_or(Refusal::Away)?;
    let idle = renew.then_some(guard.rules.session_idle);
    let found = queue.session(&id.key(), idle).await;
    let session = found.map_err(|_| Refusal::Away)?.ok_or(Refusal::Nobody)?;
    let tokens = &guard.rules.tokens;
    let (role, token) = match session.operator {
        true => (ConsoleRole::Operator, &tokens.operator),
        false => (ConsoleRole::Viewer, &tokens.viewer),
    };
    let is_good = token
        .as_ref()
        .is_some_and(|token| same(&id.digest_of(token.expose_secret()), &session.token));
    if !is_good {
        // It expires in any case.
        let _ = queue.end_session(&id.key()).await;
        return Err(Refusal::Nobody);
    }
    Ok((session, role))
}

fn is_live(request: &Parts) -> bool {
    request.uri.path().starts_with(LIVE)
}

/// How a token was received.
pub enum Knock {
    /// It was judged.
    Heard,
    /// Whichever it was: not now.
    Wait(Duration),
}

fn admitted(knock: Knock) -> Result<(), Refusal> {
    match knock {
        Knock::Heard => Ok(()),
        Knock::Wait(wait) => Err(Refusal::Throttled(seconds(wait))),
    }
}

/// Rounded up: who comes back after so many seconds is heard.
pub fn seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// Counts a token that was presented, by the whole fleet; `role` is what it gives.
pub async fn knock(
    guard: &Guard,
    door: LoginMethod,
    request: &Parts,
    role: Option<ConsoleRole>,
) -> Knock {
    let client = guard.client(request);
    if let Some(queue) = guard.queue.get() {
        let counted = queue.knock(door, client.as_str(), role.is_some());
        match timeout(REDIS_IN_TIME, counted).await {
            Ok(Ok(Knocked::Wait(wait))) => return Knock::Wait(wait),
            Ok(Ok(Knocked::Heard { is_news })) => {
                if is_news {
                    note_refusal(queue, door, &client).await;
                }
                return Knock::Heard;
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }
    if role.is_none() {
        sleep(WITHOUT_REDIS).await;
    }
    Knock::Heard
}

/// Once in a while, see [`Knocked`].
async fn note_refusal(queue: &Queue, door: LoginMethod, client: &Client) {
    let (via, place) = match door {
        LoginMethod::Login => (Via::Console, "the login page"),
        LoginMethod::Bearer => (Via::Api, "a request"),
    };
    let by = Actor {
        name: "somebody".to_owned(),
        via,
    };
    let detail = format!("a wrong token in {place} from {client}");
    let note = Note {
        detail: &detail,
        ..Note::default()
    };
    // Redis went away in between: the refusal stands.
    let _ = queue.note(&by, AuditAction::LoginRefused, &note).await;
}

/// Whether a request without a session may see more than "alive" and "ready": the console is open, or it has a token.
pub async fn may_look(guard: &Guard, request: &Parts) -> Result<(), Refusal> {
    let role = match guard.rules.tokens.access(&request.headers) {
        Access::Open => return Ok(()),
        Access::None => return Err(Refusal::Nobody),
        Access::Wrong => None,
        Access::Bearer(role) => Some(role),
    };
    admitted(knock(guard, LoginMethod::Bearer, request, role).await)?;
    role.map(|_| ()).ok_or(Refusal::Nobody)
}
