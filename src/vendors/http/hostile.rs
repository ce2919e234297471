//! Answers that mean harm: nothing panics, nothing is believed that was not said, memory and time are bounded.

use std::sync::{Arc, Mutex};

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::vendors::testing::{ScriptedReply, Server, answer, gzip, run_again_with};

const SECRET: &str = "key/7d3f9c51a8";

/// Of bodies in these tests.
const LIMIT: usize = 1 << 20;

/// What a flood may cost: the limit several times over (the piece at hand, the decoder's buffers, the sockets).
const FLOOD_MEMORY: usize = 48 << 20;

fn client(url: &str) -> Http {
    let mut settings = ClientSettings {
        max_body: Some(LIMIT),
        ..ClientSettings::default()
    };
    settings.timeouts = Timeouts::within(Duration::from_secs(10));
    Http::new(
        "test",
        "test.url",
        url,
        &[&SecretString::from(SECRET)],
        settings,
    )
    .unwrap()
}

async fn get(http: &Http) -> Reply {
    let request = http.request(Method::GET, "x").query(&[("apikey", SECRET)]);
    http.call("get", request, None).await.reply
}

fn cause(reply: &Reply) -> &str {
    match reply {
        Reply::Lost { cause } => cause,
        reply => panic!("{reply:?}"),
    }
}

/// Bytes that resemble an answer.
fn any_answer() -> impl Strategy<Value = Vec<u8>> {
    let status = select(vec![
        "HTTP/1.1 200 OK",
        "HTTP/1.0 200",
        "HTTP/1.1 100 Continue",
        "HTTP/1.1 204 No",
        "HTTP/1.1 999 x",
        "HTTP/1.1 99 x",
        "HTTP/2 200",
        "HTTP/0.9",
        "ICY 200 OK",
        "HTTP/1.1 200 \u{e9}\0",
        "HTTP/1.1 304 Not Modified",
        "",
        "[]",
        "\x16\x03\x01\x02\x00\x01\x00",
        "HTTP/1.1 101 Switching",
        "HTTP/1.1  200 OK",
    ]);
    let header = select(vec![
        "content-length: 2",
        "content-length: 5",
        "content-length: 18446744073709551616",
        "content-length: -1",
        "content-length: 2, 2",
        "transfer-encoding: chunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: x",
        "content-encoding: gzip",
        "content-encoding: br",
        "retry-after: 99999999999999999999",
        "retry-after: \u{e9}",
        "location: http://127.0.0.1:1/",
        "connection: close",
        "x: key/7d3f9c51a8",
        "no colon",
        " folded",
        ": no name",
        "x-api-key-days-remaining: 99999999999999999999999",
    ]);
    let body = select(vec![
        "[]",
        "",
        "2\r\n[]\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "-1\r\n",
        "2;x=y\r\n[]\r\n0\r\nx: y\r\n\r\n",
        "2\r\n[]",
        "key/7d3f9c51a8",
        "key%2f7d3f9c51a8",
        "\u{1f}\u{8b}\u{8}",
        "zz\r\n",
    ]);
    let end = select(vec!["\r\n", "\n", "\r"]);
    let whole = (status, vec(header, 0..4), end, body).prop_map(|(status, headers, end, body)| {
        let lines = [vec![status], headers].concat();
        [lines.join(end), end.repeat(2), body.to_owned()]
            .concat()
            .into_bytes()
    });
    prop_oneof![4 => whole, 1 => vec(any::<u8>(), 0..200)]
}

#[test]
fn whatever_bytes_answer_the_reply_is_one_of_the_closed_set_without_the_secret() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let next = Arc::new(Mutex::new(Vec::new()));
    let script = Arc::clone(&next);
    let server = runtime.block_on(Server::start(move |_| {
        ScriptedReply::BreakOff(script.lock().unwrap().clone())
    }));
    let http = client(&server.url());
    proptest!(|(bytes in any_answer())| {
        next.lock().unwrap().clone_from(&bytes);
        let reply = runtime.block_on(get(&http));
        let shown = format!("{reply:?}");
        prop_assert!(!shown.contains("7d3f9c51a8"), "{}", shown);
        match reply {
            Reply::Answer(answer) => {
                prop_assert!(bytes.starts_with(b"HTTP/1"), "{}", shown);
                prop_assert!((100..1000).contains(&answer.status) && answer.body.len() <= 3 * bytes.len() + 64);
            }
            Reply::Lost { cause } => prop_assert!(cause.len() < 500, "{}", cause),
            Reply::Unreachable { .. } => prop_assert!(false, "{}", shown),
        }
    });
}

/// Every way of never coming to an end.
fn floods() -> Vec<(&'static str, ScriptedReply)> {
    let head = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n").into_bytes();
    let piece = vec![b' '; 64 << 10];
    let chunk = [b"10000\r\n".as_slice(), &piece, b"\r\n"].concat();
    let chunked = "transfer-encoding: chunked\r\n";
    let gzipped = "content-encoding: gzip\r\n";
    let bomb = gzip(vec![b' '; 64 << 20]);
    let header = format!("x: {}\r\n", "y".repeat(1000)).into_bytes();
    vec![
        ("a body", ScriptedReply::Flood(head(""), piece.clone())),
        (
            "a body of a stated length",
            ScriptedReply::Flood(
                head("content-length: 18446744073709551615\r\n"),
                piece.clone(),
            ),
        ),
        ("chunks", ScriptedReply::Flood(head(chunked), chunk)),
        (
            "chunks of one byte",
            ScriptedReply::Flood(head(chunked), b"1\r\n \r\n".repeat(10_000)),
        ),
        (
            "a chunk's extension",
            ScriptedReply::Flood([head(chunked), b"1;x=".to_vec()].concat(), piece.clone()),
        ),
        (
            "trailers",
            ScriptedReply::Flood([head(chunked), b"0\r\n".to_vec()].concat(), header.clone()),
        ),
        ("members of gzip", ScriptedReply::Flood(head(gzipped), bomb)),
        (
            "empty members of gzip",
            ScriptedReply::Flood(head(gzipped), gzip("").repeat(1000)),
        ),
        (
            "headers",
            ScriptedReply::Flood(b"HTTP/1.1 200 OK\r\n".to_vec(), header),
        ),
        (
            "one header",
            ScriptedReply::Flood(b"HTTP/1.1 200 OK\r\nx: ".to_vec(), piece.clone()),
        ),
        (
            "a status line",
            ScriptedReply::Flood(b"HTTP/1.1 200 ".to_vec(), piece),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_endless_answer_is_read_much_further_than_its_limit() {
    const CHILD: &str = "ALUMNIQ_RELAY_TEST_FLOODED";
    if std::env::var_os(CHILD).is_none() {
        let test = "vendors::http::hostile::no_endless_answer_is_read_much_further_than_its_limit";
        return run_again_with(test, &[(CHILD, "1")]).await;
    }
    for (what, act) in floods() {
        let act = Mutex::new(Some(act));
        let server = Server::start(move |_| act.lock().unwrap().take().unwrap()).await;
        let http = client(&server.url());
        let before = peak_memory();
        let reply = get(&http).await;
        assert!(cause(&reply).len() < 500, "{what}: {reply:?}");
        let more = peak_memory() - before;
        assert!(more < FLOOD_MEMORY, "{what} took {more} bytes of memory");
        // Compressed, nothing much crosses the wire; else the sockets' buffers hold the rest.
        let taken = server.flooded();
        assert!(taken < FLOOD_MEMORY, "{what}: {taken} bytes were taken");
    }
}

/// Of this process, in bytes.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kilobytes: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes << 10
}

#[tokio::test]
async fn an_answer_that_drips_ends_with_the_total_timeout() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
    for drip in [
        [head.as_slice(), &[b' '; 1_000_000]].concat(),
        [b'H'; 1_000_000].to_vec(),
    ] {
        let server = Server::start(move |_| ScriptedReply::Drip(drip.clone())).await;
        let mut settings = ClientSettings::default();
        settings.timeouts.total = Duration::from_millis(300);
        let http = Http::new("test", "test.url", &server.url(), &[], settings).unwrap();
        cause(&get(&http).await);
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_nobody_else_learns_the_key() {
    let elsewhere = Server::start(|_| answer(200, &[], "[]")).await;
    for status in [301, 302, 303, 307, 308] {
        let to = elsewhere.url();
        let server = Server::start(move |_| answer(status, &[("location", &to)], "")).await;
        let reply = get(&client(&server.url())).await;
        assert!(matches!(reply, Reply::Answer(answer) if answer.status == status));
        assert_eq!((server.asked().len(), elsewhere.connections()), (1, 0));
    }
}

#[tokio::test]
async fn what_follows_an_answer_is_no_answer_to_the_next_question() {
    let planted = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n4711";
    let server = Server::start(move |asked| match asked.query.contains("first") {
        true => ScriptedReply::Answer(
            format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]{planted}").into_bytes(),
        ),
        false => answer(404, &[], "its own"),
    })
    .await;
    let http = client(&server.url());
    for _ in 0..20 {
        let request = http.request(Method::GET, "x").query(&[("q", "first")]);
        let Reply::Answer(first) = http.call("get", request, None).await.reply else {
            panic!("the first answer is whole")
        };
        assert_eq!(first.body, "[]");
        match get(&http).await {
            Reply::Answer(second) => {
                assert_eq!((second.status, second.body.as_str()), (404, "its own"))
            }
            // The connection with the planted bytes was taken for a broken one.
            Reply::Lost { .. } => {}
            reply => panic!("{reply:?}"),
        }
    }
}

#[tokio::test]
async fn gzip_is_opened_once_and_what_is_damaged_is_lost() {
    let encoded = [("content-encoding", "gzip")];
    // Not what RFC 1952 says; no server was seen to send a second member, and JSON that is cut is no JSON.
    let two = [gzip("[1,"), gzip("2]")].concat();
    let server = Server::start(move |_| answer(200, &encoded, &two)).await;
    let reply = get(&client(&server.url())).await;
    assert!(
        matches!(&reply, Reply::Answer(answer) if answer.body == "[1,"),
        "{reply:?}"
    );

    let nested = gzip(gzip(vec![b' '; 64 << 20]));
    let server = Server::start(move |_| answer(200, &encoded, &nested)).await;
    let reply = get(&client(&server.url())).await;
    // Opened twice, it would be longer than the limit.
    assert!(
        matches!(&reply, Reply::Lost { cause } if cause.contains("no text in UTF-8")),
        "{reply:?}"
    );

    let whole = gzip("[{\"changeId\":1},{\"changeId\":2}]");
    for end in 1..whole.len() {
        let cut = whole[..end].to_vec();
        let server = Server::start(move |_| answer(200, &encoded, &cut)).await;
        cause(&get(&client(&server.url())).await);
    }
    let server = Server::start(move |_| answer(200, &encoded, "[{\"changeId\":1}]")).await;
    cause(&get(&client(&server.url())).await);
}
