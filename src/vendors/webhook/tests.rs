use jobs::notice::{Delivery, classify};

use super::*;
use crate::vendors::testing::{ScriptedReply, Server, answer};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn url(text: &str) -> WebhookUrl {
    WebhookUrl::parse(&text.into()).unwrap()
}

fn webhook(address: &str) -> Webhook {
    let secret = SigningSecret::parse(&SECRET.into()).unwrap();
    Webhook::new(&url(address), Some(&secret)).unwrap()
}

async fn post(webhook: &Webhook, deadline: Option<Instant>) -> Reply {
    let now = Timestamp::from_second(1_614_265_330).unwrap();
    let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    let body = r#"{"test": 2432232314}"#.to_owned();
    webhook.post(id, now, body, deadline).await
}

#[tokio::test]
async fn a_notification_is_one_signed_post_to_the_address_as_it_is() {
    let server = Server::start(|_| answer(204, &[], "")).await;
    let address = format!("{}/services//T0/B0?sig=a%2Fb&x=1", server.url());
    let reply = post(&webhook(&address), None).await;
    assert_eq!(classify(&reply), Delivery::Taken);
    let asked = &server.asked()[0];
    assert_eq!(
        (&*asked.method, &*asked.path, &*asked.query),
        ("POST", "/services//T0/B0", "sig=a%2Fb&x=1")
    );
    assert_eq!(asked.body, r#"{"test": 2432232314}"#);
    for (name, value) in [
        ("content-type", "application/json"),
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        (
            "webhook-signature",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
    ] {
        assert_eq!(asked.headers[name], value);
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_signed() {
    let server = Server::start(|_| answer(200, &[], "ok")).await;
    let webhook = Webhook::new(&url(&server.url()), None).unwrap();
    post(&webhook, None).await;
    assert!(!server.asked()[0].headers.contains_key("webhook-signature"));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_an_answer_without_end_is_not_read() {
    let other = Server::start(|_| answer(200, &[], "")).await;
    let elsewhere = other.url();
    let server = Server::start(move |_| answer(307, &[("location", &elsewhere)], "")).await;
    let reply = post(&webhook(&server.url()), None).await;
    assert!(matches!(
        classify(&reply),
        Delivery::Failed {
            perhaps_taken: false,
            ..
        }
    ));
    assert_eq!(other.connections(), 0);

    let head = b"HTTP/1.1 500 No\r\n\r\n".to_vec();
    let server = Server::start(move |_| ScriptedReply::Flood(head.clone(), vec![b'x'; 4096])).await;
    let reply = post(&webhook(&server.url()), None).await;
    assert!(matches!(
        classify(&reply),
        Delivery::Failed {
            perhaps_taken: true,
            ..
        }
    ));
}

#[tokio::test]
async fn past_the_lease_nothing_is_told() {
    let server = Server::start(|_| answer(200, &[], "")).await;
    let reply = post(&webhook(&server.url()), Some(Instant::now())).await;
    assert!(matches!(reply, Reply::Unreachable { .. }));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn neither_the_address_nor_the_key_is_shown_whatever_the_receiver_says() {
    const PATH: &str = "/services/T0123/B0123/hunter2hunter2";
    let server = Server::start(|asked| {
        let said = format!("no such hook: {}?{}", asked.path, asked.query);
        answer(404, &[], said)
    })
    .await;
    for base in [server.url(), "http://127.0.0.1:1".to_owned()] {
        let webhook = webhook(&format!("{base}{PATH}?token=sesame-sesame"));
        let reply = post(&webhook, None).await;
        let shown = format!("{webhook:?} {reply:?} {:?}", classify(&reply));
        for secret in ["hunter2", "sesame", "T0123", SECRET] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("127.0.0.1:"), "{shown}");
    }
}
