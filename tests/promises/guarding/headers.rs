use futures::stream;
use reqwest::Method;

use super::{Browser, Guarded, OPERATOR, people::pages, roles::operations};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[tokio::test]
async fn every_answer_forbids_what_no_page_of_ours_does() {
    let guarded = Guarded::start().await;
    let operator = guarded.logged_in(OPERATOR).await;
    let login = guarded.browser().get("/login").await;
    let assets = login
        .body
        .split("\"/assets/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let mut paths: Vec<String> = assets.map(|name| format!("/assets/{name}")).collect();
    assert!(!paths.is_empty(), "{}", login.body);
    paths.extend(
        [
            "/",
            "/login",
            "/logout",
            "/metrics",
            "/healthz",
            "/readyz",
            "/runbook",
            "/runbook.css",
            "/nowhere",
            "/api",
            "/api/nowhere",
        ]
        .map(str::to_owned),
    );
    paths.extend(pages(&operator).await.into_keys());
    paths.extend(
        operations(&operator)
            .await
            .into_iter()
            .map(|(_, path)| path),
    );
    for path in &paths {
        for browser in [
            &operator,
            &guarded.browser(),
            &guarded.browser().bearer(OPERATOR),
        ] {
            for method in [
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::DELETE,
                Method::OPTIONS,
            ] {
                let answer = browser.send(method.clone(), path, None, Vec::new()).await;
                let about = format!("{method} {path}: {}", answer.status);
                let policy = answer.header("content-security-policy");
                match path.as_str() {
                    "/runbook" | "/runbook.css" => assert!(
                        policy.starts_with("default-src 'none'; style-src 'self';"),
                        "{about} {policy}"
                    ),
                    _ => assert_eq!(policy, POLICY, "{about}"),
                }
                for (name, value) in [
                    ("x-content-type-options", "nosniff"),
                    ("referrer-policy", "no-referrer"),
                    ("x-frame-options", "DENY"),
                    ("cross-origin-resource-policy", "same-origin"),
                    ("strict-transport-security", ""),
                    ("access-control-allow-origin", ""),
                ] {
                    assert_eq!(answer.header(name), value, "{about} {name}");
                }
                let is_ours_alone = ["/runbook", "/assets"]
                    .iter()
                    .any(|public| path.starts_with(public));
                if !is_ours_alone {
                    assert_eq!(answer.header("cache-control"), "no-store", "{about}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    const SIZE: usize = 300 * 1024;
    let guarded = Guarded::start().await;
    let browser = guarded.browser();
    let form = "application/x-www-form-urlencoded";
    let replay = "/api/v1/dead-letters/replay";
    let large = format!("token={}", "x".repeat(SIZE)).into_bytes();
    assert_eq!(
        browser
            .send(Method::POST, "/login", Some(form), large.clone())
            .await
            .status,
        413
    );
    let operator = browser.bearer(OPERATOR);
    let answer = operator
        .send(Method::POST, replay, Some("application/json"), large)
        .await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].as_str()),
        (413, Some("too_large"))
    );
    for path in ["/login", replay] {
        let chunks = (0..SIZE / 1024).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1024]));
        let address = guarded.service.address();
        let sent = reqwest::Client::new()
            .post(format!("http://{address}{path}"))
            .bearer_auth(OPERATOR)
            .header("content-type", form)
            .body(reqwest::Body::wrap_stream(stream::iter(chunks)))
            .send()
            .await;
        // The server may hang up while the client still writes.
        assert!(sent.is_err() || sent.unwrap().status() == 413, "{path}");
    }
    let fine = Browser::at(guarded.service.address()).get("/healthz").await;
    assert_eq!(fine.status, 200);
}
