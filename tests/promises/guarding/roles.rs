use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, Guarded, OPERATOR, VIEWER, people::pages};

/// Every operation of the API, its parameters filled in.
pub async fn operations(browser: &Browser) -> Vec<(Method, String)> {
    let document = browser
        .bearer(OPERATOR)
        .get("/api/v1/openapi.json")
        .await
        .json();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = ["get", "put", "post", "delete", "patch"];
        for method in methods.iter().filter(|method| item.get(**method).is_some()) {
            let path = path.replace("{destination}", "crm");
            let path = path
                .split('/')
                .map(|part| if part.starts_with('{') { "41" } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            operations.push((method.to_uppercase().parse().unwrap(), path));
        }
    }
    assert!(operations.len() > 5, "{operations:?}");
    operations
}

#[tokio::test]
async fn a_viewer_may_use_no_operation_that_writes_and_a_stranger_none_at_all() {
    let guarded = Guarded::start().await;
    let stranger = guarded.browser();
    let (bearer, session) = (stranger.bearer(VIEWER), guarded.logged_in(VIEWER).await);
    let csrf = session.csrf().await;
    let session = session.with("x-csrf-token", &csrf);
    let before = guarded.relay.status().await;
    let mut writes = 0;
    for (method, path) in operations(&stranger).await {
        let body = json!({});
        let nobody = stranger.json(method.clone(), &path, &body).await;
        assert_eq!(
            (nobody.status, &nobody.json()["error"]["code"]),
            (401, &json!("unauthenticated")),
            "{method} {path}"
        );
        if method == Method::GET {
            assert_ne!(bearer.get(&path).await.status, 401, "{path}");
            continue;
        }
        writes += 1;
        for viewer in [&bearer, &session] {
            let refused = viewer.json(method.clone(), &path, &body).await;
            assert_eq!(
                (refused.status, &refused.json()["error"]["code"]),
                (403, &json!("viewer")),
                "{method} {path}"
            );
        }
        // Nor under a name that a careless proxy or framework would take for the method.
        let posing = bearer
            .with("x-http-method-override", "GET")
            .json(method.clone(), &path, &body)
            .await;
        assert_eq!(posing.status, 403, "{method} {path}");
    }
    assert!(writes >= 4, "{writes}");
    assert_eq!(guarded.relay.status().await["pauses"], before["pauses"]);
    assert!(!guarded.is_paused().await);
}

#[tokio::test]
async fn a_viewer_sends_no_form_that_an_operator_sees() {
    let guarded = Guarded::start().await;
    let (operator, viewer) = (
        guarded.logged_in(OPERATOR).await,
        guarded.logged_in(VIEWER).await,
    );
    let csrf = viewer.csrf().await;
    let mut actions: Vec<String> = pages(&operator)
        .await
        .values()
        .flat_map(|body| forms(body))
        .collect();
    actions.sort();
    actions.dedup();
    assert!(actions.contains(&"/logout".to_owned()), "{actions:?}");
    for action in actions.iter().filter(|action| *action != "/logout") {
        let answer = viewer.post(action, &[("csrf", &csrf)]).await;
        assert_eq!(answer.status, 403, "{action}");
        assert!(
            guarded.browser().post(action, &[]).await.status == 401,
            "{action}"
        );
    }
}

/// Where a page's forms are posted to.
fn forms(body: &str) -> Vec<String> {
    let tags = body
        .split("<form")
        .skip(1)
        .filter_map(|rest| rest.split('>').next());
    let posts = tags.filter(|tag| tag.contains("method=\"post\""));
    let action = |tag: &str| {
        tag.split("action=\"")
            .nth(1)?
            .split('"')
            .next()
            .map(|path| path.replace("&amp;", "&"))
    };
    posts.filter_map(action).collect()
}

#[tokio::test]
async fn a_token_is_believed_in_its_header_alone() {
    let guarded = Guarded::start().await;
    let browser = guarded.browser();
    for path in [
        format!("/api/v1/status?token={OPERATOR}"),
        format!("/api/v1/status?access_token={OPERATOR}"),
    ] {
        assert_eq!(browser.get(&path).await.status, 401);
    }
    for (name, value) in [
        ("x-api-key", OPERATOR.to_owned()),
        ("authorization", format!("Token {OPERATOR}")),
        ("authorization", OPERATOR.to_owned()),
        ("cookie", format!("alumniq_relay_session={OPERATOR}")),
        ("x-relay-operator", "Ada".to_owned()),
        ("x-forwarded-for", "127.0.0.1".to_owned()),
    ] {
        let answer = browser.with(name, value).get("/api/v1/status").await;
        assert_eq!(answer.status, 401, "{name}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        let told: Value = answer.json();
        assert_eq!(told.as_object().unwrap().len(), 1, "{told}");
    }
    for path in [
        "/",
        "/API/v1/status",
        "/api/v1/../v1/status",
        "//api/v1/status",
        "/%61pi/v1/status",
        "/api/v1/status/",
    ] {
        let answer = browser.get(path).await;
        assert!(
            answer.status != 200 && !answer.body.contains("books"),
            "{path}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn who_is_not_in_is_led_to_the_login_and_from_there_to_what_was_wanted_here_alone() {
    let guarded = Guarded::start().await;
    let browser = guarded.browser();
    let led = browser.get("/?x=1").await;
    assert_eq!(
        (led.status, led.header("location")),
        (303, "/login?next=%2F%3Fx%3D1".to_owned())
    );
    let login = |next: &'static str| {
        let browser = browser.clone();
        async move {
            let fields = [("token", VIEWER), ("name", ""), ("next", next)];
            browser.post("/login", &fields).await.header("location")
        }
    };
    assert_eq!(login("/?x=1").await, "/?x=1");
    for elsewhere in [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/\r\nx: y",
        "/logout",
        "",
    ] {
        assert_eq!(login(elsewhere).await, "/", "{elsewhere:?}");
    }
    let shown = browser
        .get("/login?next=%2F%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
        .await;
    assert_eq!(shown.status, 200);
    assert!(!shown.body.contains("alert(1)"), "{}", shown.body);
}
