use jobs::reply::Answer;
use serde_json::json;

use super::*;
use crate::vendors::testing::{Server, answer, observed, told};

const TOKEN: &str = "salsa-token-0123456789";

#[tokio::test]
async fn every_call_carries_token_method_path_and_body() {
    let server = Server::start(|_| answer(200, &[], "{\"payload\":{}}")).await;
    let root = "/api/integration/ext/v1";
    let body = json!({"payload": {"identifiers": ["Zoë"], "identifierType": "EXTERNAL_ID"}});
    for end in ["", "/", root, "/api//integration/ext/v1/"] {
        let (settings, calls) = observed();
        let url = format!("{}{end}", server.url());
        let client = SalsaClient::new(&url, TOKEN.into(), settings).unwrap();
        client.metrics(None).await;
        client.search(&body, None).await;
        client.put(&body, None).await;
        client.delete(&body, None).await;
        let text = body.to_string();
        let asked = server.asked().split_off(server.asked().len() - 4);
        for (asked, (method, path, body)) in asked.iter().zip([
            ("GET", "metrics", ""),
            ("POST", "supporters/search", &text),
            ("PUT", "supporters", &text),
            ("DELETE", "supporters", &text),
        ]) {
            assert_eq!((&*asked.method, &*asked.body), (method, body));
            assert_eq!(
                (&*asked.path, &*asked.query),
                (&*format!("{root}/{path}"), "")
            );
            assert_eq!(asked.headers["authtoken"], TOKEN);
            assert_eq!(asked.headers["content-type"], "application/json");
        }
        let expected = ["metrics 200", "search 200", "put 200", "delete 200"];
        assert_eq!(told(&calls), expected);
    }
}

#[tokio::test]
async fn an_answer_is_read_by_its_charset_and_one_that_is_no_text_is_lost() {
    let latin1 = "application/json; charset=ISO-8859-1";
    for (status, content_type, bytes, body) in [
        (
            200,
            latin1,
            &b"{\"firstName\":\"Zo\xeb\"}"[..],
            Some("{\"firstName\":\"Zo\u{eb}\"}"),
        ),
        (200, "application/json", b"{\"firstName\":\"Zo\xeb\"}", None),
        (400, "text/plain", b"Pr\xe9nom", Some("Pr\u{e9}nom")),
    ] {
        let headers = [("content-type", content_type)];
        let server = Server::start(move |_| answer(status, &headers, bytes)).await;
        let settings = ClientSettings::default();
        let client = SalsaClient::new(&server.url(), TOKEN.into(), settings).unwrap();
        match (client.search(&json!({}), None).await, body) {
            (Reply::Answer(answer), Some(body)) => assert_eq!(answer.body, body),
            (Reply::Lost { cause }, None) => assert!(cause.contains("no text in UTF-8"), "{cause}"),
            (reply, _) => panic!("{content_type}: {reply:?}"),
        }
    }
}

#[tokio::test]
async fn text_and_html_in_an_answer_are_handed_on() {
    for (status, body) in [
        (200, "Your per minute call rate has been exceeded"),
        (429, "Requested batch size exceeds the allowed size of: 20"),
        (200, "<html>504 Gateway Time-out</html>"),
    ] {
        let server = Server::start(move |_| answer(status, &[], body)).await;
        let settings = ClientSettings::default();
        let client = SalsaClient::new(&server.url(), TOKEN.into(), settings).unwrap();
        let expected = Reply::Answer(Answer {
            status,
            retry_after: None,
            body: body.to_owned(),
        });
        assert_eq!(client.put(&json!({}), None).await, expected);
    }
}

#[tokio::test]
async fn past_the_deadline_no_call_is_made() {
    let server = Server::start(|_| answer(200, &[], "{}")).await;
    let settings = ClientSettings::default();
    let client = SalsaClient::new(&server.url(), TOKEN.into(), settings).unwrap();
    let late = Some(Instant::now());
    let body = json!({});
    for reply in [
        client.metrics(late).await,
        client.search(&body, late).await,
        client.put(&body, late).await,
        client.delete(&body, late).await,
    ] {
        let Reply::Unreachable { cause, .. } = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(cause, "the lease ended before the call was made");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_token_never_shows() {
    let server = Server::start(|asked| answer(500, &[], &asked.headers["authtoken"])).await;
    let settings = ClientSettings::default();
    let client = SalsaClient::new(&server.url(), TOKEN.into(), settings).unwrap();
    let shown = format!("{client:?} {:?}", client.metrics(None).await);
    assert!(
        shown.contains("[redacted]") && !shown.contains("salsa-token"),
        "{shown}"
    );
}

#[test]
fn a_token_that_no_header_can_carry_is_told_by_its_key() {
    for (token, says) in [
        ("", "`salsa.token` is empty"),
        ("abcd\n", "`salsa.token` holds"),
    ] {
        let made = SalsaClient::new("https://h.example", token.into(), ClientSettings::default());
        let error = made.unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
        assert!(!error.contains("abcd"), "{error}");
    }
}
