use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{Request, header::AUTHORIZATION},
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};
use tower::Service;

use super::*;
use crate::{
    console::{ConsoleTokens, Guard, Rules},
    observe::Heartbeats,
};
use axum::http::HeaderMap;

const MAX: Duration = Duration::from_secs(10);

fn console(tokens: ConsoleTokens) -> Console {
    Console {
        metrics: crate::observe::metrics::install("test"),
        heartbeats: Heartbeats::default(),
        guard: Guard::new(Rules {
            tokens,
            ..Rules::open()
        }),
        operations: Arc::default(),
    }
}

fn guarded() -> Console {
    console(ConsoleTokens {
        operator: None,
        viewer: Some("just-looking".into()),
    })
}

async fn get_as(
    console: &Console,
    path: &str,
    token: Option<&str>,
) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).unwrap();
    let response = router(console.clone()).call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (
        parts.status,
        parts.headers,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

async fn get(console: &Console, path: &str) -> (StatusCode, HeaderMap, String) {
    get_as(console, path, None).await
}

fn parse(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn metrics_are_text_exposition() {
    let (status, headers, body) = get(&console(ConsoleTokens::default()), "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        headers[CONTENT_TYPE],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert!(
        body.contains("\n# TYPE alumniq_relay_build_info gauge\n"),
        "{body}"
    );
}

#[tokio::test]
async fn metrics_need_a_token_once_one_is_configured() {
    let console = guarded();
    let (status, headers, body) = get(&console, "/metrics").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(headers[WWW_AUTHENTICATE], "Bearer");
    assert!(body.contains("console.viewer_token"), "{body}");
    assert_eq!(
        get_as(&console, "/metrics", Some("wrong")).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        get_as(&console, "/metrics", Some("just-looking")).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn probes_answer_without_a_token_but_without_details() {
    let console = guarded();
    let beat = console.heartbeats.register("crm", MAX);
    beat.beat();
    let (status, _, body) = get(&console, "/readyz").await;
    assert_eq!(
        (status, parse(&body)),
        (StatusCode::OK, json!({"ready": true}))
    );
    let (status, _, body) = get(&console, "/healthz").await;
    assert_eq!(
        (status, parse(&body)),
        (StatusCode::OK, json!({"alive": true}))
    );
    let (_, _, body) = get_as(&console, "/readyz", Some("just-looking")).await;
    assert_eq!(parse(&body)["roles"][0]["role"], "crm");
}

#[tokio::test]
async fn readiness_goes_when_a_loop_ends_and_says_which() {
    let console = console(ConsoleTokens::default());
    let (redis, crm) = (
        console.heartbeats.register("redis", MAX),
        console.heartbeats.register("crm", MAX),
    );
    redis.beat();
    crm.beat();
    assert_eq!(get(&console, "/readyz").await.0, StatusCode::OK);

    drop(crm);
    let (status, _, body) = get(&console, "/readyz").await;
    let body = parse(&body);
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body["ready"], false);
    assert_eq!(body["roles"][0]["ready"], true);
    assert_eq!(body["roles"][1]["role"], "crm");
    assert_eq!(body["roles"][1]["why"], "has ended");
}

#[tokio::test]
async fn a_process_that_leaves_is_alive_and_not_ready_although_its_loops_turn() {
    let closing = tokio_util::sync::CancellationToken::new();
    let console = Console {
        heartbeats: Heartbeats::until(closing.clone()),
        ..guarded()
    };
    let beat = console.heartbeats.register("crm", MAX);
    beat.beat();
    assert_eq!(get(&console, "/readyz").await.0, StatusCode::OK);
    closing.cancel();
    let (status, _, body) = get(&console, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(parse(&body), json!({"ready": false, "leaving": true}));
    assert_eq!(get(&console, "/healthz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_process_without_a_loop_is_alive_and_not_ready() {
    let console = console(ConsoleTokens::default());
    assert_eq!(get(&console, "/healthz").await.0, StatusCode::OK);
    let (status, _, body) = get(&console, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(parse(&body), json!({"ready": false, "roles": []}));
}

#[tokio::test]
async fn the_runbook_is_served_to_everybody_and_runs_and_fetches_nothing() {
    for (path, kind, has) in [
        (
            "/runbook",
            "text/html; charset=utf-8",
            "id=\"alumniqrelaychangesstuck\"",
        ),
        (
            "/runbook.css",
            "text/css; charset=utf-8",
            "prefers-color-scheme: dark",
        ),
    ] {
        let (status, headers, body) = get(&guarded(), path).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CONTENT_TYPE], kind);
        assert!(body.contains(has), "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self';"),
            "{policy}"
        );
        for open in ["script-src", "unsafe", "http", "*"] {
            assert!(!policy.contains(open), "{policy}");
        }
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");

        let request = Request::head(path).body(Body::empty()).unwrap();
        let head = router(guarded()).call(request).await.unwrap();
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(head.headers()["content-length"], body.len().to_string());
        assert!(to_bytes(head.into_body(), 1).await.unwrap().is_empty());

        let request = Request::post(path).body(Body::empty()).unwrap();
        let post = router(guarded()).call(request).await.unwrap();
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn an_unknown_address_names_the_known_ones() {
    let (status, _, body) = get(&console(ConsoleTokens::default()), "/nowhere").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains("/readyz"), "{body}");
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_key_to_change() {
    let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = first.local_addr().unwrap();
    let message = bind(addr).await.unwrap_err().to_string();
    assert!(message.contains(&addr.to_string()), "{message}");
    assert!(message.contains("console.listen"), "{message}");
    assert!(message.contains("another program"), "{message}");
}

#[tokio::test]
async fn the_server_answers_over_a_socket_and_ends_when_told_even_with_an_idle_client() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, console(ConsoleTokens::default()), async {
        let _ = stopped.await;
    }));
    let _idle = TcpStream::connect(addr).await.unwrap();
    let mut client = TcpStream::connect(addr).await.unwrap();
    client
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    stop.send(()).unwrap();
    served.await.unwrap();
}

/// A request, or what resembles one.
fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let method = select(vec![
        "GET", "POST", "HEAD", "OPTIONS", "TRACE", "CONNECT", "DELETE", "get", "G\u{e9}T", "PRI",
        "",
    ]);
    let path = select(vec![
        "/metrics",
        "/readyz",
        "/healthz",
        "/",
        "*",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//metrics",
        "/metrics/",
        "/metrics?token=just-looking",
        "http://elsewhere/metrics",
        "/\u{0}",
        "/%00",
        "metrics",
        "/metrics#x",
        "/METRICS",
    ]);
    let header = prop_oneof![
        4 => select(vec![
            "authorization: Bearer wrong", "authorization: Bearer", "authorization: bearer \u{e9}", "authorization: Basic eDp5",
            "authorization: Bearer just-lookin", "content-length: 99999999999999999999", "content-length: -1", "expect: 100-continue",
            "transfer-encoding: chunked", "upgrade: h2c", "connection: upgrade", "host: a\r\nhost: b", "no colon", ": ", " folded",
        ]).prop_map(str::to_owned),
        1 => (1..3_000_usize).prop_map(|times| format!("x: {}", "long header ".repeat(times))),
        1 => (1..300_usize).prop_map(|times| "x: y\r\n".repeat(times)),
    ];
    let body = select(vec![
        "",
        "5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n",
        "{}",
        "GET /metrics HTTP/1.1\r\n\r\n",
    ]);
    let version = select(vec!["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", ""]);
    let whole = (method, path, version, vec(header, 0..4), body).prop_map(
        |(method, path, version, headers, body)| {
            let lines = [vec![format!("{method} {path} {version}")], headers].concat();
            format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
        },
    );
    prop_oneof![4 => whole, 1 => vec(any::<u8>(), 0..300)]
}

/// What the server says to these bytes; it may also just hang up.
async fn asked(addr: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut client = TcpStream::connect(addr).await.unwrap();
    let mut answer = Vec::new();
    let _ = client.write_all(request).await;
    let _ = client.shutdown().await;
    let _ = client.read_to_end(&mut answer).await;
    answer
}

#[test]
fn no_request_shows_what_a_token_guards_or_stops_the_server() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (addr, _stop) = runtime.block_on(async {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let console = guarded();
        console.heartbeats.register("crm", MAX).beat();
        tokio::spawn(serve(listener, console, async { drop(stopped.await) }));
        (addr, stop)
    });
    let healthz = b"GET /healthz HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n";
    proptest!(|(request in any_request())| {
        let answer = String::from_utf8_lossy(&runtime.block_on(asked(addr, &request))).into_owned();
        for guarded in ["alumniq_relay_", "crm", "just-looking", env!("CARGO_PKG_VERSION"), "root:"] {
            prop_assert!(!answer.contains(guarded), "{}", answer);
        }
        prop_assert!(answer.len() < 10_000);
        let alive = runtime.block_on(asked(addr, healthz));
        prop_assert!(alive.starts_with(b"HTTP/1.1 200 OK"));
    });
}

/// A server with these limits; it ends when the guard is dropped.
async fn limited(
    limits: connections::ConnectionLimits,
) -> (SocketAddr, tokio::sync::oneshot::Sender<()>) {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let routes = router(console(ConsoleTokens::default()));
    tokio::spawn(connections::serve(listener, routes, limits, async {
        drop(stopped.await);
    }));
    (addr, stop)
}

const HOUR: Duration = Duration::from_secs(3600);
const NO_LIMITS: connections::ConnectionLimits = connections::ConnectionLimits {
    connections: 100,
    head: HOUR,
    lifetime: HOUR,
    grace: Duration::from_millis(50),
};
/// For what comes at once, on however slow a machine.
const SURELY: Duration = Duration::from_secs(60);

/// Whether the server ends the connection by itself.
async fn is_hung_up(client: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(SURELY, client.read_to_end(&mut rest))
        .await
        .is_ok()
}

#[tokio::test]
async fn half_a_request_is_not_waited_for() {
    let (addr, _stop) = limited(connections::ConnectionLimits {
        head: Duration::from_millis(50),
        ..NO_LIMITS
    })
    .await;
    for said in ["GET /healthz HTTP/1.1\r\nhost: re", ""] {
        let mut client = TcpStream::connect(addr).await.unwrap();
        client.write_all(said.as_bytes()).await.unwrap();
        assert!(is_hung_up(&mut client).await, "{said:?}");
    }
}

#[tokio::test]
async fn no_connection_lasts_for_ever() {
    let (addr, _stop) = limited(connections::ConnectionLimits {
        lifetime: Duration::from_millis(50),
        ..NO_LIMITS
    })
    .await;
    let mut client = TcpStream::connect(addr).await.unwrap();
    assert!(is_hung_up(&mut client).await);
}

#[tokio::test]
async fn who_comes_when_all_places_are_taken_gets_the_place_of_the_idlest() {
    let (addr, _stop) = limited(connections::ConnectionLimits {
        connections: 2,
        ..NO_LIMITS
    })
    .await;
    let mut holders = Vec::new();
    for _ in 0..2 {
        let mut holder = TcpStream::connect(addr).await.unwrap();
        // Its answer shows that it has its place.
        holder
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: relay\r\n\r\n")
            .await
            .unwrap();
        holder.read_u8().await.unwrap();
        holders.push(holder);
    }
    let healthz = b"GET /healthz HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n";
    let answer = tokio::time::timeout(SURELY, asked(addr, healthz))
        .await
        .unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    assert!(is_hung_up(&mut holders[0]).await);
    // The other one is still served.
    let other = &mut holders[1];
    other.write_all(healthz).await.unwrap();
    assert!(is_hung_up(other).await);
}
