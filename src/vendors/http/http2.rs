//! Tests against a vendor that speaks HTTP/2.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jobs::reply::Reply;
use reqwest::Method;
use tokio::net::TcpListener;

use super::{ClientSettings, Http};
use crate::vendors::testing::{run_again_with, tls_acceptor};

/// Names the vendor's address to the child process, which trusts its certificate.
const VENDOR: &str = "ALUMNIQ_RELAY_TEST_HTTP2_VENDOR";

/// What the vendor does with every call.
#[derive(Clone, Copy)]
enum Act {
    /// Reads it, then says that it read nothing more and closes the connection.
    GoAway,
    /// Reads it, then refuses it alone.
    Refuse,
    /// Reads it, and nothing more from this connection.
    FallSilent,
}

/// A vendor, and how many calls it has read.
async fn vendor(act: Act) -> (String, String, Arc<AtomicUsize>) {
    let (acceptor, certificate) = tls_acceptor(&["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, count) = (acceptor.clone(), count.clone());
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_request, mut respond))) = connection.accept().await {
                    count.fetch_add(1, Ordering::SeqCst);
                    match act {
                        Act::GoAway => connection.abrupt_shutdown(h2::Reason::NO_ERROR),
                        Act::Refuse => respond.send_reset(h2::Reason::REFUSED_STREAM),
                        Act::FallSilent => std::future::pending().await,
                    }
                }
            });
        }
    });
    (url, certificate, calls)
}

/// Two calls, one after the other, that nobody answers.
async fn call_twice(url: &str) {
    let mut settings = ClientSettings::default();
    settings.timeouts.total = Duration::from_secs(9);
    settings.timeouts.read = Duration::from_secs(3);
    let http = Http::new("test", "test.url", url, &[], settings).unwrap();
    for _ in 0..2 {
        let request = http.request(Method::POST, "x").body("{}");
        let reply = http.call("post", request, None).await.reply;
        assert!(matches!(reply, Reply::Lost { .. }), "{reply:?}");
    }
}

/// How many calls the vendor has read when this client's two have ended.
async fn calls_of_two(test: &str, act: Act) -> Option<usize> {
    if let Ok(url) = std::env::var(VENDOR) {
        call_twice(&url).await;
        return None;
    }
    let (url, certificate, calls) = vendor(act).await;
    let store = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(store.path(), certificate).unwrap();
    let store = store.path().to_str().unwrap();
    let test = format!("vendors::http::http2::{test}");
    run_again_with(&test, &[("SSL_CERT_FILE", store), (VENDOR, &url)]).await;
    Some(calls.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_connection_that_goes_away_repeats_no_call() {
    let test = "a_connection_that_goes_away_repeats_no_call";
    if let Some(calls) = calls_of_two(test, Act::GoAway).await {
        assert_eq!(calls, 2);
    }
}

#[tokio::test]
async fn a_refused_stream_repeats_no_call() {
    let test = "a_refused_stream_repeats_no_call";
    if let Some(calls) = calls_of_two(test, Act::Refuse).await {
        assert_eq!(calls, 2);
    }
}

#[tokio::test]
async fn a_call_after_a_silent_one_opens_another_connection() {
    let test = "a_call_after_a_silent_one_opens_another_connection";
    if let Some(calls) = calls_of_two(test, Act::FallSilent).await {
        assert_eq!(calls, 2);
    }
}
