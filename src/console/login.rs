//! `/login` and `/logout`.

use axum::{
    Extension, Form,
    extract::{
        Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::{
        HeaderMap, StatusCode,
        header::{LOCATION, RETRY_AFTER, SET_COOKIE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use queue::{
    audit::{Actor, AuditAction, Note, Via},
    sessions::{LoginMethod, Session},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{
    guard::{self, Knock, seconds},
    network::Client,
    pages::outside::page,
    paths::{HOME, LOGIN, own},
    refusal::{Audience, Refusal},
    role::ConsoleRole,
    rules::Guard,
    session::{SessionId, no_cookie},
    state::Console,
    visitor::{NAME_LENGTH, Visitor, clean_name},
};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct LoginQuery {
    #[serde(default)]
    next: String,
}

/// The form.
pub(super) async fn form(
    State(console): State<Console>,
    wanted: Result<Query<LoginQuery>, QueryRejection>,
    request: Parts,
) -> Response {
    if let Err(refusal) = guard::origin(&console.guard, &request) {
        return refusal.to(Audience::Reader).into_response();
    }
    let next = wanted.map_or_else(|_| String::new(), |Query(wanted)| wanted.next);
    if console.guard.rules.tokens.is_open() {
        let page = own(&next).unwrap_or(HOME).to_owned();
        return (StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response();
    }
    // A browser keeps the session to itself when a link on another website is followed.
    let may_be_in = request
        .headers
        .get("sec-fetch-site")
        .is_some_and(|site| matches!(site.as_bytes(), b"cross-site" | b"same-site"));
    show(&next, None, may_be_in).into_response()
}

fn show(next: &str, problem: Option<&str>, may_be_in: bool) -> Markup {
    let next = own(next);
    page(
        "Log in",
        &html! {
            @if let Some(problem) = problem {
                p.alert.bad role="alert" id="problem" { b { (problem) } }
            }
            @if may_be_in {
                p { "Logged in already? " a href=(next.unwrap_or(HOME)) { "Continue" } "." }
            }
            form.login method="post" action=(LOGIN) {
                div.field {
                    label for="token" { "Token" }
                    input id="token" name="token" type="password" required autofocus autocomplete="current-password" aria-describedby="token-note";
                    p.note id="token-note" { code { "console.operator_token" } " to act, " code { "console.viewer_token" } " to look" }
                }
                div.field {
                    label for="name" { "Your name" }
                    input id="name" name="name" type="text" maxlength=(NAME_LENGTH) autocomplete="username" aria-describedby="name-note";
                    p.note id="name-note" { "The audit names you so" }
                }
                @if let Some(next) = next { input type="hidden" name="next" value=(next); }
                p { button.primary type="submit" { "Log in" } }
            }
        },
    )
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Given {
    token: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    next: String,
}

/// Opens a session under a new id, whatever the browser had before, and ends that.
pub(super) async fn log_in(
    State(console): State<Console>,
    request: Parts,
    given: Result<Form<Given>, FormRejection>,
) -> Response {
    let guard = &console.guard;
    if let Err(refusal) = guard::origin(guard, &request) {
        return refusal.to(Audience::Form).into_response();
    }
    let Given { token, name, next } = match given {
        Ok(Form(given)) => given,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Refusal::TooLarge.to(Audience::Form).into_response();
        }
        Err(_) => {
            let shown = show("", Some("Type a token."), false);
            return (StatusCode::BAD_REQUEST, shown).into_response();
        }
    };
    let token = SecretString::from(token.trim());
    let role = guard.rules.tokens.role(token.expose_secret().as_bytes());
    if let Knock::Wait(wait) = guard::knock(guard, LoginMethod::Login, &request, role).await {
        let seconds = seconds(wait);
        let problem = format!(
            "Too many wrong tokens came from there. Try again in {seconds} s; until then not even the right one counts."
        );
        let shown = show(&next, Some(&problem), false);
        return (
            StatusCode::TOO_MANY_REQUESTS,
            [(RETRY_AFTER, seconds)],
            shown,
        )
            .into_response();
    }
    let Some(role) = role else {
        let problem = "That is neither console.operator_token nor console.viewer_token.";
        let shown = show(&next, Some(problem), false);
        return (StatusCode::UNAUTHORIZED, shown).into_response();
    };
    let name = clean_name(&name).unwrap_or_else(|| role.nobody_in_particular().to_owned());
    let secure = guard.is_tls(&request.headers);
    let client = guard.client(&request);
    let before = SessionId::of(&request.headers, secure);
    match open(guard, role, name, &token, before, &client).await {
        Ok(id) => {
            let to = own(&next).unwrap_or(HOME).to_owned();
            let mut response = (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response();
            response.headers_mut().append(SET_COOKIE, id.cookie(secure));
            response
        }
        Err(refusal) => refusal.to(Audience::Form).into_response(),
    }
}

async fn open(
    guard: &Guard,
    role: ConsoleRole,
    name: String,
    token: &SecretString,
    before: Option<SessionId>,
    client: &Client,
) -> Result<SessionId, Refusal> {
    let queue = guard.queue.get().ok_or(Refusal::Away)?;
    let id = SessionId::random();
    let session = Session {
        name,
        operator: role == ConsoleRole::Operator,
        token: id.digest_of(token.expose_secret()),
    };
    let (idle, lifetime) = (guard.rules.session_idle, guard.rules.session_lifetime);
    let opened = queue
        .open_session(&id.key(), &session, idle, lifetime)
        .await;
    opened.map_err(|_| Refusal::Away)?;
    let detail = format!("as {}, from {client}", role.as_str());
    let by = Actor {
        name: session.name,
        via: Via::Console,
    };
    let note = Note {
        detail: &detail,
        ..Note::default()
    };
    let noted = queue.note(&by, AuditAction::LoggedIn, &note).await;
    noted.map_err(|_| Refusal::Away)?;
    if let Some(before) = before {
        queue
            .end_session(&before.key())
            .await
            .map_err(|_| Refusal::Away)?;
    }
    Ok(id)
}

/// Ends the session.
pub(super) async fn log_out(
    State(console): State<Console>,
    Extension(_): Extension<Visitor>,
    headers: HeaderMap,
) -> Response {
    let guard = &console.guard;
    let secure = guard.is_tls(&headers);
    if let Some(id) = SessionId::of(&headers, secure) {
        let ended = match guard.queue.get() {
            Some(queue) => queue.end_session(&id.key()).await.is_ok(),
            None => false,
        };
        if !ended {
            return Refusal::Away.to(Audience::Form).into_response();
        }
    }
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, LOGIN)]).into_response();
    response.headers_mut().append(SET_COOKIE, no_cookie(secure));
    response
}
