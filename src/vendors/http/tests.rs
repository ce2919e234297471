use super::*;
use crate::vendors::testing::{
    ReceivedRequest, ScriptedReply, Server, answer, gzip, nobody, observed, run_again_with, told,
};

const SECRET: &str = "s3cret+key/42";

fn http(url: &str, settings: ClientSettings) -> Http {
    let secret = SecretString::from(SECRET);
    Http::new("test", "test.url", url, &[&secret], settings).unwrap()
}

async fn get(http: &Http) -> Reply {
    let request = http.request(Method::GET, "x").query(&[("apikey", SECRET)]);
    http.call("get", request, None).await.reply
}

fn impatient() -> ClientSettings {
    let mut settings = ClientSettings::default();
    settings.timeouts.total = Duration::from_millis(100);
    settings
}

#[track_caller]
fn assert_lost(reply: Reply, says: &str) {
    let Reply::Lost { cause } = reply else {
        panic!("{reply:?}")
    };
    assert!(cause.contains(says), "{cause}");
    assert!(!cause.contains("s3cret"), "{cause}");
}

#[track_caller]
fn assert_unreachable(reply: Reply, says: &str) {
    let Reply::Unreachable { cause, .. } = reply else {
        panic!("{reply:?}")
    };
    assert!(cause.contains(says), "{cause}");
    assert!(!cause.contains("s3cret"), "{cause}");
}

#[track_caller]
fn body_of(reply: Reply) -> String {
    let Reply::Answer(answer) = reply else {
        panic!("{reply:?}")
    };
    answer.body
}

#[tokio::test]
async fn every_request_says_who_asks_and_what_it_reads() {
    let server = Server::start(|_| answer(200, &[], "[]")).await;
    get(&http(&server.url(), ClientSettings::default())).await;
    let asked = &server.asked()[0];
    let agent = format!("alumniq-relay/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(asked.headers["user-agent"], agent);
    assert_eq!(asked.headers["accept"], "application/json");
    assert_eq!(asked.headers["accept-encoding"], "gzip");
}

#[tokio::test]
async fn each_call_is_named_to_the_vendor_as_to_the_observer() {
    let server = Server::start(|_| answer(200, &[], "[]")).await;
    let (settings, calls) = observed();
    let http = http(&server.url(), settings);
    for _ in 0..2 {
        get(&http).await;
    }
    let calls = calls.lock().unwrap();
    let named: Vec<String> = calls
        .iter()
        .map(|call| call.request_id.to_string())
        .collect();
    let asked = server.asked();
    let told: Vec<&String> = asked
        .iter()
        .map(|asked| &asked.headers["x-request-id"])
        .collect();
    assert_eq!(told, named.iter().collect::<Vec<_>>());
    assert_ne!(named[0], named[1]);
}

#[tokio::test]
async fn a_vendors_own_request_id_is_told_if_it_can_be_nothing_else() {
    let long = "7".repeat(101);
    for (header, value, told) in [
        ("x-request-id", "req_7-a.b:c", Some("req_7-a.b:c")),
        ("x-correlation-id", "0af7", Some("0af7")),
        ("x-request-id", "ann@example.org", None),
        ("x-request-id", "Ann Näyte", None),
        ("x-request-id", "", None),
        ("x-request-id", long.as_str(), None),
        ("x-other", "0af7", None),
    ] {
        let (name, text) = (header.to_owned(), value.to_owned());
        let server = Server::start(move |_| answer(200, &[(&name, &text)], "[]")).await;
        let (settings, calls) = observed();
        get(&http(&server.url(), settings)).await;
        let theirs = calls.lock().unwrap()[0].vendor_request_id.clone();
        assert_eq!(theirs.as_deref(), told, "{header}: {value}");
    }
}

#[tokio::test]
async fn calls_one_after_another_share_a_connection() {
    let server = Server::start(|_| answer(500, &[], "no")).await;
    let http = http(&server.url(), ClientSettings::default());
    for _ in 0..5 {
        get(&http).await;
    }
    assert_eq!((server.asked().len(), server.connections()), (5, 1));
}

#[tokio::test]
async fn an_answer_is_handed_on_whatever_its_status_and_body() {
    for (status, body) in [
        (200, "[]"),
        (200, "Your per minute call rate has been exceeded"),
        (204, ""),
        (302, ""),
        (404, ""),
        (504, "<html><body>Gateway Time-out</body></html>"),
    ] {
        let act = move || {
            answer(
                status,
                &[("location", "/elsewhere"), ("retry-after", "7")],
                body,
            )
        };
        let server = Server::start(move |_| act()).await;
        let reply = get(&http(&server.url(), ClientSettings::default())).await;
        let expected = Reply::Answer(Answer {
            status,
            retry_after: Some(Duration::from_secs(7)),
            body: body.to_owned(),
        });
        assert_eq!(reply, expected);
        assert_eq!(server.asked().len(), 1, "a redirect is not followed");
    }
}

#[tokio::test]
async fn a_retry_date_is_held_against_the_answers_own_date() {
    let headers = [
        ("retry-after", "Sun, 01 Mar 2026 10:01:30 GMT"),
        ("date", "Sun, 01 Mar 2026 10:00:00 GMT"),
    ];
    let server = Server::start(move |_| answer(503, &headers, "")).await;
    let reply = get(&http(&server.url(), ClientSettings::default())).await;
    let Reply::Answer(answer) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(answer.retry_after, Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn gzip_is_opened_also_where_nothing_is_in_it() {
    for body in ["[{\"changeId\":1}]", ""] {
        let encoded = [("content-encoding", "gzip")];
        let server = Server::start(move |_| answer(200, &encoded, gzip(body))).await;
        assert_eq!(
            body_of(get(&http(&server.url(), ClientSettings::default())).await),
            body
        );
    }
    let encoded = [("content-encoding", "gzip")];
    let server = Server::start(move |_| answer(404, &encoded, "")).await;
    assert_eq!(
        body_of(get(&http(&server.url(), ClientSettings::default())).await),
        ""
    );
}

#[tokio::test]
async fn the_words_of_a_refusal_are_read_whatever_their_bytes_are() {
    let server = Server::start(|_| answer(500, &[], b"caf\xe9 \xff")).await;
    let body = body_of(get(&http(&server.url(), ClientSettings::default())).await);
    assert_eq!(body, "caf\u{e9} \u{ff}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_lost_however_small_it_was_on_the_wire() {
    let settings = || ClientSettings {
        max_body: Some(1000),
        ..ClientSettings::default()
    };
    let server = Server::start(|_| answer(200, &[], [b' '; 1000])).await;
    let body = body_of(get(&http(&server.url(), settings())).await);
    assert_eq!(body.len(), 1000, "the limit itself is allowed");

    let server = Server::start(|_| answer(200, &[], [b' '; 1001])).await;
    let reply = get(&http(&server.url(), settings())).await;
    assert_lost(reply, "longer than the limit of 1000 bytes");

    let bomb = gzip(vec![0; 64 << 20]);
    let encoded = [("content-encoding", "gzip")];
    let server = Server::start(move |_| answer(200, &encoded, &bomb)).await;
    let reply = get(&http(&server.url(), settings())).await;
    assert_lost(reply, "longer than the limit of 1000 bytes");
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let url = nobody().await;
    let (settings, calls) = observed();
    let reply = get(&http(&url, settings)).await;
    let host = url.trim_start_matches("http://");
    assert_unreachable(
        reply,
        &format!("no connection to {host}: tcp connect error"),
    );
    assert_eq!(told(&calls), ["get unreachable"]);
}

#[tokio::test]
async fn a_failed_tls_handshake_sends_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = listener.local_addr().unwrap();
    let speaks_no_tls = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        stream
    });
    let reply = get(&http(
        &format!("https://{plain}"),
        ClientSettings::default(),
    ))
    .await;
    assert_unreachable(reply, "InvalidContentType");
    speaks_no_tls.await.unwrap();
}

#[tokio::test]
async fn a_server_that_never_answers_is_lost_after_the_timeout() {
    let server = Server::start(|_| ScriptedReply::Hang).await;
    assert_lost(get(&http(&server.url(), impatient())).await, "in time");

    let mut settings = ClientSettings::default();
    settings.timeouts.read = Duration::from_millis(100);
    assert_lost(get(&http(&server.url(), settings)).await, "in time");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_lost() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[{\"changeId\"".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n[{\"c".to_vec();
    let mut cut = gzip("[{\"changeId\":1}]");
    cut.truncate(cut.len() - 12);
    let cut_gzip = || answer(200, &[("content-encoding", "gzip")], &cut);
    let ScriptedReply::Answer(cut_gzip) = cut_gzip() else {
        unreachable!()
    };
    type MakeAct = fn(Vec<u8>) -> ScriptedReply;
    let cases: [(MakeAct, Vec<u8>); 6] = [
        (ScriptedReply::BreakOff, Vec::new()),
        (ScriptedReply::BreakOff, head.clone()),
        (ScriptedReply::BreakOff, chunked),
        (ScriptedReply::Reset, Vec::new()),
        (ScriptedReply::Reset, head),
        (ScriptedReply::Answer, cut_gzip),
    ];
    for (act, bytes) in cases {
        let server = Server::start(move |_| act(bytes.clone())).await;
        let (settings, calls) = observed();
        assert_lost(get(&http(&server.url(), settings)).await, "was lost");
        assert_eq!(told(&calls), ["get lost"]);
        assert_eq!(server.asked().len(), 1, "nothing is sent a second time");
    }
}

#[tokio::test]
async fn a_request_that_a_kept_alive_connection_swallows_is_lost_and_not_repeated() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/first" => answer(200, &[], ""),
        _ => ScriptedReply::BreakOff(Vec::new()),
    })
    .await;
    let http = http(&server.url(), ClientSettings::default());
    http.call("first", http.request(Method::GET, "first"), None)
        .await;
    assert_lost(get(&http).await, "was lost");
    assert_eq!((server.asked().len(), server.connections()), (2, 1));
}

#[tokio::test]
async fn past_the_deadline_the_network_is_not_touched() {
    let server = Server::start(|_| answer(200, &[], "")).await;
    let (settings, calls) = observed();
    let http = http(&server.url(), settings);
    for late in [Instant::now(), Instant::now() + MARGIN] {
        let request = http.request(Method::GET, "x");
        let reply = http.call("get", request, Some(late)).await.reply;
        assert_eq!(reply, lease_ended());
    }
    assert_eq!((server.connections(), told(&calls).len()), (0, 0));
}

#[tokio::test]
async fn a_call_under_way_is_given_up_before_its_deadline() {
    let server = Server::start(|_| ScriptedReply::Hang).await;
    let http = http(&server.url(), ClientSettings::default());
    let now = Instant::now();
    for (deadline, timeout) in [
        (None, Some(60_000)),
        (Some(now + Duration::from_secs(3600)), Some(60_000)),
        (Some(now), None),
    ] {
        assert_eq!(http.time_left(deadline), timeout.map(Duration::from_millis));
    }
    let lease = Duration::from_secs(10);
    assert!(http.time_left(Some(Instant::now() + lease)).unwrap() < lease);

    let request = http.request(Method::GET, "x");
    let deadline = Instant::now() + Duration::from_secs(1);
    assert_lost(
        http.call("get", request, Some(deadline)).await.reply,
        "in time",
    );
}

#[tokio::test]
async fn a_call_that_its_caller_drops_is_still_observed_once() {
    let (settings, calls) = observed();
    let server = Server::start(|_| ScriptedReply::Hang).await;
    let http = http(&server.url(), settings);
    let call = get(&http);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), call)
            .await
            .is_err()
    );
    assert_eq!(told(&calls), ["get lost"]);
}

#[tokio::test]
async fn a_secret_in_the_query_shows_up_nowhere() {
    let echo = |asked: &ReceivedRequest| {
        let page = format!(
            "<p>GET {}?{} failed; key {SECRET}</p>",
            asked.path, asked.query
        );
        answer(500, &[], page)
    };
    let server = Server::start(echo).await;
    let (settings, calls) = observed();
    let client = http(&server.url(), settings);
    let reply = get(&client).await;
    assert!(server.asked()[0].query.contains("s3cret"), "it was sent");
    let shown = format!("{reply:?} {client:?} {calls:?}");
    assert!(shown.contains("apikey=[redacted]"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn only_another_machine_over_http_is_plaintext() {
    for (url, plaintext) in [
        ("http://crm.example", true),
        ("https://crm.example", false),
        ("http://127.0.0.1:80", false),
        ("http://localhost", false),
    ] {
        let http = http(url, ClientSettings::default());
        assert_eq!(http.is_plaintext_remote(), plaintext, "{url}");
    }
}

#[tokio::test]
async fn a_system_proxy_is_used_except_towards_loopback() {
    const CHILD: &str = "ALUMNIQ_RELAY_TEST_BEHIND_PROXY";
    if std::env::var_os(CHILD).is_some() {
        let vendor = Server::start(|_| answer(200, &[], "direct")).await;
        let settings = ClientSettings::default;
        let reply = get(&http(&vendor.url(), settings())).await;
        assert_eq!(body_of(reply), "direct");
        let reply = get(&http("http://crm.invalid", settings())).await;
        assert_eq!(body_of(reply), "by proxy");
        return;
    }
    let proxy = Server::start(|_| answer(200, &[], "by proxy")).await;
    run_again_with(
        "vendors::http::tests::a_system_proxy_is_used_except_towards_loopback",
        &[("HTTP_PROXY", &proxy.url()), (CHILD, "1")],
    )
    .await;
    let asked = proxy.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "http://crm.invalid/x");
}

#[tokio::test]
async fn a_connection_on_which_an_answer_was_lost_is_never_used_again() {
    for lose in [
        || ScriptedReply::Hang,
        || ScriptedReply::BreakOff(Vec::new()),
    ] {
        let calls = std::sync::atomic::AtomicUsize::new(0);
        let server =
            Server::start(
                move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                    1 => lose(),
                    _ => answer(200, &[], "[]"),
                },
            )
            .await;
        let mut settings = ClientSettings::default();
        settings.timeouts.total = Duration::from_secs(3);
        let http = http(&server.url(), settings);
        body_of(get(&http).await);
        assert_lost(get(&http).await, "");
        assert_eq!(server.connections(), 1);
        body_of(get(&http).await);
        assert_eq!(server.connections(), 2);
    }
}
