//! `/metrics`, `/healthz`, `/readyz` and `/runbook`, which every process serves.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::{
    Json, Router,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;

use self::connections::LIMITS;
use super::{Heartbeats, Tokens, api, pages, runbook};
use crate::{metrics::Exposition, operations::Operations};

mod connections;

/// The text exposition format's own content type.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the server shows.
#[derive(Clone)]
pub struct Console {
    /// From [`install`](crate::metrics::install).
    pub metrics: Exposition,
    /// The loops of this process, Redis included.
    pub heartbeats: Heartbeats,
    /// Who may look.
    pub tokens: Tokens,
    /// What its pages show and do; empty until Redis answers, and in a process without the role.
    pub operations: Arc<OnceLock<Operations>>,
}

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
    Router::new()
        .route("/metrics", get(exposition))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/runbook", get(runbook::page))
        .route("/runbook.css", get(runbook::style))
        .merge(api::router())
        .merge(pages::routes())
        .fallback(not_found)
        .with_state(console)
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

async fn exposition(State(console): State<Console>, headers: HeaderMap) -> Response {
    if console.tokens.may_look(&headers) {
        ([(CONTENT_TYPE, EXPOSITION)], console.metrics.render()).into_response()
    } else {
        let why = "/metrics needs `Authorization: Bearer` with console.viewer_token or console.operator_token\n";
        let challenge = [(WWW_AUTHENTICATE, "Bearer")];
        (StatusCode::UNAUTHORIZED, challenge, why).into_response()
    }
}

/// That this handler runs is the answer: the process lives and its runtime turns.
async fn healthz(State(console): State<Console>, headers: HeaderMap) -> Response {
    let mut body = json!({ "alive": true });
    if console.tokens.may_look(&headers) {
        body["version"] = env!("CARGO_PKG_VERSION").into();
    }
    Json(body).into_response()
}

async fn readyz(State(console): State<Console>, headers: HeaderMap) -> Response {
    let loops = console.heartbeats.readings(Instant::now());
    let leaving = console.heartbeats.is_leaving();
    // A process in which nothing was started yet makes no progress either.
    let ready = !leaving && !loops.is_empty() && loops.iter().all(|reading| reading.ready);
    let mut body = json!({ "ready": ready });
    if console.tokens.may_look(&headers) {
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
