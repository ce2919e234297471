use reqwest::Method;
use serde_json::json;

use super::{Guarded, OPERATOR, PAUSE};

#[tokio::test]
async fn a_session_writes_only_with_the_secret_of_its_own_forms() {
    let guarded = Guarded::start().await;
    let browser = guarded.logged_in(OPERATOR).await;
    let others = guarded.logged_in(OPERATOR).await.csrf().await;
    let own = browser.csrf().await;
    assert_ne!(own, others);
    for wrong in ["", "x", &others, &own[1..], &own.to_uppercase()] {
        let answer = browser.with("x-csrf-token", wrong).post(PAUSE, &[]).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (403, &json!("csrf")),
            "{wrong}"
        );
        let answer = browser.post(PAUSE, &[("csrf", wrong)]).await;
        assert_eq!(answer.status, 403, "{wrong}");
    }
    // Neither the way the body is written nor a header that only programs send makes up for it.
    for answer in [
        browser.post(PAUSE, &[]).await,
        browser
            .json(Method::POST, PAUSE, &json!({ "csrf": own }))
            .await,
        browser
            .with("x-relay-operator", "Ada")
            .post(PAUSE, &[])
            .await,
        browser
            .send(
                Method::POST,
                PAUSE,
                Some("text/plain"),
                format!("csrf={own}").into(),
            )
            .await,
        browser
            .send(
                Method::POST,
                &format!("{PAUSE}?csrf={own}"),
                None,
                Vec::new(),
            )
            .await,
    ] {
        assert_eq!(answer.status, 403, "{}", answer.body);
    }
    assert!(!guarded.is_paused().await);
    assert_eq!(
        browser
            .with("x-csrf-token", &own)
            .post(PAUSE, &[])
            .await
            .status,
        200
    );
    assert!(guarded.is_paused().await);
}

#[tokio::test]
async fn another_website_cannot_write_even_with_the_secret() {
    let guarded = Guarded::start().await;
    let browser = guarded.logged_in(OPERATOR).await;
    let csrf = browser.csrf().await;
    let own = format!("http://{}", guarded.service.address());
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "http://127.0.0.1:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = browser
            .with(name, value)
            .post(PAUSE, &[("csrf", &csrf)])
            .await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (403, &json!("foreign_page")),
            "{value}"
        );
        let login = guarded
            .browser()
            .with(name, value)
            .log_in(OPERATOR, "Mallory")
            .await;
        assert_eq!(
            (login.status, login.header("set-cookie")),
            (403, String::new()),
            "{value}"
        );
    }
    assert!(!guarded.is_paused().await);
    let ours = browser
        .with("origin", &own)
        .with("sec-fetch-site", "same-origin");
    assert_eq!(ours.post(PAUSE, &[("csrf", &csrf)]).await.status, 200);
}

#[tokio::test]
async fn no_website_acts_or_reads_through_an_open_console() {
    let guarded = Guarded::open().await;
    let browser = guarded.browser();
    // A page whose name points here: the browser says its name, and nothing is told or done.
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "10.1.2.3:9464",
        "localhost.evil.example",
    ] {
        let rebound = browser.with("host", host);
        for path in [
            "/",
            "/metrics",
            "/api/v1/status",
            "/api/v1/dead-letters",
            "/login",
        ] {
            let answer = rebound.get(path).await;
            assert_eq!(answer.status, 421, "{host}{path}");
            for told in ["alumniq_relay_", "\"books\"", "csrf", host] {
                assert!(!answer.body.contains(told), "{host}{path}: {}", answer.body);
            }
        }
        let named = rebound.with("x-relay-operator", "Mallory");
        assert_eq!(
            named.json(Method::POST, PAUSE, &json!({})).await.status,
            421
        );
    }
    // A page from elsewhere: whatever it can send without being asked first, and with whichever cookie.
    let answer = browser.get("/").await;
    let cookie = answer.header("set-cookie");
    for cookie in [None, Some(cookie.split(';').next().unwrap().to_owned())] {
        let mut browser = browser.clone();
        browser.cookie = cookie;
        for kind in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data"),
        ] {
            let answer = browser
                .send(Method::POST, PAUSE, kind, b"{}".to_vec())
                .await;
            assert_eq!(answer.status, 403, "{kind:?}");
        }
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let foreign = browser
                .with(name, value)
                .with("x-relay-operator", "Mallory");
            assert_eq!(
                foreign.json(Method::POST, PAUSE, &json!({})).await.status,
                403,
                "{value}"
            );
        }
        let image = browser
            .with("sec-fetch-site", "cross-site")
            .with("sec-fetch-mode", "no-cors");
        assert_eq!(image.get("/api/v1/status").await.status, 403);
    }
    // Whether it may send more it is not even told.
    let asked = browser
        .with("origin", "https://evil.example")
        .with("access-control-request-method", "POST");
    let answer = asked.send(Method::OPTIONS, PAUSE, None, Vec::new()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert!(!guarded.is_paused().await);
    // A program on this machine needs no browser's secret.
    assert_eq!(
        browser.json(Method::POST, PAUSE, &json!({})).await.status,
        200
    );
    assert!(guarded.is_paused().await);
}

#[tokio::test]
async fn a_name_that_is_configured_is_answered() {
    let guarded =
        Guarded::configured(|relay| relay.set("console.allowed_hosts", "relay.example.edu")).await;
    let named = guarded.browser().with("host", "relay.example.edu");
    assert_eq!(named.get("/").await.status, 200);
    let other = guarded.browser().with("host", "evil.example");
    assert_eq!(other.get("/").await.status, 421);
}
