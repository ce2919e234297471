use std::{sync::Mutex, time::Duration};

use jobs::reply::Answer;

use tokio::sync::mpsc;

use super::*;
use crate::vendors::testing::{ScriptedReply, Server, answer, gzip, nobody, observed, told};

const KEY: &str = "3E6B+1F/0A=9C&x";
const KEY_ENCODED: &str = "3E6B%2B1F%2F0A%3D9C%26x";

fn client(url: &str, settings: ClientSettings) -> AlumniqClient {
    AlumniqClient::new(url, KEY.into(), settings).unwrap()
}

/// The reply, and the body that was poured.
async fn fetch(client: &AlumniqClient, filter: &FeedFilter, mark: bool) -> (FeedReply, String) {
    let (pipe, mut pieces) = mpsc::channel(1);
    let (reply, body) = tokio::join!(client.fetch(filter, mark, pipe), async {
        let mut body = Vec::new();
        while let Some(piece) = pieces.recv().await {
            body.extend_from_slice(&piece);
        }
        String::from_utf8(body).unwrap()
    });
    (reply, body)
}

fn day() -> FeedFilter {
    FeedFilter::ChangedOn("2026-03-01".parse().unwrap())
}

#[tokio::test]
async fn a_fetch_asks_with_exactly_one_filter() {
    let server = Server::start(|_| answer(200, &[], "[]")).await;
    let base = format!("{}/api/v1/index.cfm", server.url());
    let client = client(&base, ClientSettings::default());
    let since = FeedFilter::ChangedSince("2026-02-09".parse().unwrap());
    let person = FeedFilter::Xid("a b&c=1".to_owned());
    for (filter, mark, query) in [
        (day(), false, "changedOnDate=2026-03-01"),
        (day(), true, "changedOnDate=2026-03-01&markAsProcessed=true"),
        (since, false, "changedSinceDate=2026-02-09"),
        (person, false, "xid=a+b%26c%3D1"),
    ] {
        fetch(&client, &filter, mark).await;
        let asked = server.asked().pop().unwrap();
        assert_eq!(asked.method, "GET");
        assert_eq!(asked.path, "/api/v1/index.cfm/sync/address-change/work");
        assert_eq!(asked.query, format!("apikey={KEY_ENCODED}&{query}"));
        assert_eq!(asked.body, "");
    }
}

#[tokio::test]
async fn a_feed_is_poured_by_its_charset_and_what_is_no_text_is_marked() {
    for (content_type, employer, poured) in [
        (
            "application/json;charset=ISO-8859-1",
            &b"Nestl\xe9"[..],
            "Nestl\u{e9}",
        ),
        (
            "application/json; charset=Shift_JIS",
            b"\x83e\x83",
            "\u{30c6}\u{fdd0}",
        ),
        ("application/json", b"Nestl\xc3\xa9", "Nestl\u{e9}"),
    ] {
        let headers = [("content-type", content_type)];
        let sent = [b"[\"", employer, b"\"]"].concat();
        let server = Server::start(move |_| answer(200, &headers, &sent)).await;
        let client = client(&server.url(), ClientSettings::default());
        let (_, body) = fetch(&client, &day(), false).await;
        assert_eq!(body, format!("[\"{poured}\"]"));
    }
}

#[tokio::test]
async fn the_address_may_end_with_a_slash_or_with_the_resource() {
    let server = Server::start(|_| answer(200, &[], "[]")).await;
    for end in [
        "",
        "/",
        "/sync/address-change/work",
        "/sync/address-change/work/",
    ] {
        let base = format!("{}/api/v1/index.cfm{end}", server.url());
        let client = client(&base, ClientSettings::default());
        fetch(&client, &day(), false).await;
        let asked = server.asked().pop().unwrap();
        assert_eq!(
            asked.path, "/api/v1/index.cfm/sync/address-change/work",
            "{end}"
        );
    }
}

#[tokio::test]
async fn a_gzipped_feed_larger_than_other_answers_may_be_is_read_whole() {
    let row = "{\"changeId\":\"1\",\"employer\":\"Zażółć\"},".repeat(250_000);
    let feed = format!("[{}]", row.trim_end_matches(','));
    assert!(feed.len() > crate::vendors::BODY_LIMIT);
    let encoded = gzip(&feed);
    let headers = [
        ("content-encoding", "gzip"),
        ("X-API-Key-Days-Remaining", "364"),
    ];
    let server = Server::start(move |_| answer(200, &headers, &encoded)).await;
    let client = client(&server.url(), ClientSettings::default());
    let (fetched, body) = fetch(&client, &day(), false).await;
    assert_eq!(fetched.key_days_remaining, Some(364));
    let Reply::Answer(answer) = fetched.reply else {
        panic!("{:?}", fetched.reply)
    };
    assert!(body == feed && answer.body.is_empty());
}

#[tokio::test]
async fn only_a_good_answers_body_is_poured_and_no_further_than_somebody_reads() {
    let refused = Server::start(|_| answer(503, &[], "down")).await;
    let (fetched, body) = fetch(
        &client(&refused.url(), ClientSettings::default()),
        &day(),
        false,
    )
    .await;
    let Reply::Answer(answer) = fetched.reply else {
        panic!("{:?}", fetched.reply)
    };
    assert_eq!((answer.body.as_str(), body.as_str()), ("down", ""));

    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let act = Mutex::new(Some(ScriptedReply::Flood(head, vec![b' '; 1 << 16])));
    let flood = Server::start(move |_| act.lock().unwrap().take().unwrap()).await;
    let client = client(&flood.url(), ClientSettings::default());
    let (pipe, mut pieces) = mpsc::channel(1);
    let reader = async move { pieces.recv().await.is_some() };
    let (day, reader) = (day(), reader);
    let (fetched, has_read) = tokio::join!(client.fetch(&day, false, pipe), reader);
    assert!(has_read && matches!(fetched.reply, Reply::Answer(answer) if answer.status == 200));
}

#[test]
fn the_days_that_remain_are_read_tolerantly() {
    for (text, days) in [
        ("364", Some(364)),
        (" 12 ", Some(12)),
        ("12.0", Some(12)),
        ("7 days", Some(7)),
        ("-3", Some(-3)),
        ("0", Some(0)),
        ("", None),
        ("-", None),
        ("soon", None),
        ("--1", None),
        ("99999999999999999999", None),
    ] {
        assert_eq!(whole_days(text), days, "{text:?}");
    }
}

#[tokio::test]
async fn an_acknowledgement_is_a_form_with_the_key_in_the_body_only() {
    let server = Server::start(|_| answer(200, &[], "")).await;
    let ids = ["1", "2", "c-3"].map(str::to_owned);
    let client = client(&server.url(), ClientSettings::default());
    client.acknowledge(&ids, None).await;
    let asked = &server.asked()[0];
    assert_eq!((asked.method.as_str(), asked.query.as_str()), ("PUT", ""));
    assert_eq!(asked.path, "/sync/address-change/work");
    assert_eq!(
        asked.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    let body = format!("apikey={KEY_ENCODED}&changeIdList=1%2C2%2Cc-3");
    assert_eq!(asked.body, body);
}

#[tokio::test]
async fn an_empty_error_answer_is_an_answer() {
    let server = Server::start(|_| answer(405, &[], "")).await;
    let client = client(&server.url(), ClientSettings::default());
    let reply = client.acknowledge(&["1".to_owned()], None).await;
    let expected = Reply::Answer(Answer {
        status: 405,
        retry_after: None,
        body: String::new(),
    });
    assert_eq!(reply, expected);
}

#[tokio::test]
async fn the_key_never_shows_whatever_goes_wrong() {
    let echo = Server::start(|asked| {
        let page = format!("{}?{} {} {KEY}", asked.path, asked.query, asked.body);
        answer(500, &[], page)
    })
    .await;
    let hanging = Server::start(|_| ScriptedReply::Hang).await;
    let resetting = Server::start(|_| ScriptedReply::Reset(Vec::new())).await;
    for url in [echo.url(), hanging.url(), resetting.url(), nobody().await] {
        let (mut settings, calls) = observed();
        settings.timeouts.total = Duration::from_millis(200);
        let client = client(&url, settings);
        let (fetched, _) = fetch(&client, &day(), false).await;
        let reply = client.acknowledge(&["1".to_owned()], None).await;
        let shown = format!("{fetched:?} {reply:?} {client:?} {calls:?}");
        for part in ["3E6B", "0A=9C", "0A%3D9C"] {
            assert!(!shown.contains(part), "{shown}");
        }
        assert_eq!(told(&calls).len(), 2);
    }
    let refused = AlumniqClient::new(
        "https://x/?apikey=3E6B",
        KEY.into(),
        ClientSettings::default(),
    );
    assert!(!format!("{refused:?}").contains("3E6B"));
}

#[tokio::test]
async fn each_call_is_observed_by_its_operation() {
    let server = Server::start(|_| answer(200, &[], "[]")).await;
    let (settings, calls) = observed();
    let client = client(&server.url(), settings);
    fetch(&client, &day(), false).await;
    client.acknowledge(&["1".to_owned()], None).await;
    assert_eq!(told(&calls), ["fetch 200", "acknowledge 200"]);
    assert!(
        calls
            .lock()
            .unwrap()
            .iter()
            .all(|call| call.vendor == "alumniq")
    );
}

#[test]
fn a_client_without_a_key_or_with_a_wrong_address_is_not_made() {
    for (url, key, says) in [
        ("https://h.example", " ", "`alumniq.api_key` is empty"),
        ("h.example", KEY, "`alumniq.url` is not a URL"),
    ] {
        let error = AlumniqClient::new(url, key.into(), ClientSettings::default()).unwrap_err();
        assert!(error.to_string().starts_with(says), "{error}");
    }
}
