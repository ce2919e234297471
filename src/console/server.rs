//! `/metrics`, `/healthz`, `/readyz` and `/runbook`, which every process serves.

use std::{io, net::SocketAddr, time::Instant};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
        request::Parts,
    },
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use tokio::net::TcpListener;

use self::connections::LIMITS;
use super::{
    api, guard, live, login, pages, paths,
    refusal::{Audience, Refusal},
    runbook,
    state::Console,
};

mod connections;

/// The text exposition format's own content type.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `console.listen` cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr} (console.listen): {cause}; {advice}")]
pub struct BindError {
    addr: SocketAddr,
    advice: &'static str,
    cause: io::Error,
}

/// Listens on `addr`; port 0 takes any free one.
///
/// # Errors
/// The port is taken, privileged, or not this machine's; the error names the remedy.
pub async fn bind(addr: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(addr).await.map_err(|cause| BindError {
        addr,
        advice: match cause.kind() {
            io::ErrorKind::AddrInUse => {
                "another program, perhaps another alumniq-relay, has this port: stop it or choose another `console.listen`"
            }
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need a privilege: choose a higher one in `console.listen`"
            }
            io::ErrorKind::AddrNotAvailable => {
                "this machine has no such address: use 127.0.0.1 or 0.0.0.0 in `console.listen`"
            }
            _ => "choose another `console.listen`",
        },
        cause,
    })
}

/// The routes.
pub fn router(console: Console) -> Router {
    let guarded = guarded().route_layer(from_fn_with_state(console.clone(), guard::admit));
    Router::new()
        .route("/metrics", get(exposition))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/runbook", get(runbook::page))
        .route("/runbook.css", get(runbook::style))
        .route(paths::LOGIN, get(login::form).post(login::log_in))
        .merge(pages::assets())
        .merge(guarded)
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(guard::BODY_LIMIT))
        .layer(from_fn_with_state(console.clone(), guard::headers))
        .with_state(console)
}

/// Everything that shows data or changes any: only who may look comes in, only operators may write.
fn guarded() -> Router<Console> {
    Router::new()
        .route(paths::LOGOUT, post(login::log_out))
        .merge(api::router())
        .merge(pages::routes())
        .merge(live::routes())
}

/// Serves until `shutdown` completes, then gives the requests under way two seconds. Keeps the metrics'
/// memory bounded meanwhile.
pub async fn serve(
    listener: TcpListener,
    console: Console,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let upkeep = console.metrics.clone().upkeep();
    tokio::select! {
        () = connections::serve(listener, router(console), LIMITS, shutdown) => {}
        never = upkeep => match never {},
    }
}

async fn exposition(State(console): State<Console>, request: Parts) -> Response {
    if let Err(refusal) = guard::host(&console.guard, &request) {
        return refusal.to(Audience::Reader).into_response();
    }
    match guard::may_look(&console.guard, &request).await {
        Ok(()) => ([(CONTENT_TYPE, EXPOSITION)], console.metrics.render()).into_response(),
        Err(Refusal::Throttled(seconds)) => {
            let why = "too many wrong tokens came from there: wait as long as Retry-After says\n";
            let again = [(RETRY_AFTER, seconds)];
            (StatusCode::TOO_MANY_REQUESTS, again, why).into_response()
        }
        Err(_) => {
            let why = "/metrics needs `Authorization: Bearer` with console.viewer_token or console.operator_token\n";
            let challenge = [(WWW_AUTHENTICATE, "Bearer")];
            (StatusCode::UNAUTHORIZED, challenge, why).into_response()
        }
    }
}

/// That this handler runs is the answer: the process lives and its runtime turns.
async fn healthz(State(console): State<Console>, request: Parts) -> Response {
    let mut body = json!({ "alive": true });
    if guard::may_look(&console.guard, &request).await.is_ok() {
        body["version"] = env!("CARGO_PKG_VERSION").into();
    }
    Json(body).into_response()
}

async fn readyz(State(console): State<Console>, request: Parts) -> Response {
    let loops = console.heartbeats.readings(Instant::now());
    let leaving = console.heartbeats.is_leaving();
    // A process in which nothing was started yet makes no progress either.
    let ready = !leaving && !loops.is_empty() && loops.iter().all(|reading| reading.ready);
    let mut body = json!({ "ready": ready });
    if guard::may_look(&console.guard, &request).await.is_ok() {
        body["roles"] = json!(loops);
    }
    if leaving {
        body["leaving"] = true.into();
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(body)).into_response()
}

async fn not_found() -> Response {
    let what = "not found: there are /metrics, /healthz, /readyz and /runbook\n";
    (StatusCode::NOT_FOUND, what).into_response()
}

#[cfg(test)]
mod tests;
