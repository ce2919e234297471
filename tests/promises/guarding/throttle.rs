use super::{Answer, Browser, Guarded, OPERATOR, VIEWER, ready};
use harness::waiting::until_true;

const WRONG: &str = "certainly-not-the-token";

/// Tries `attempt` until the throttle holds; how many were judged.
async fn guesses_until_held(mut attempt: impl AsyncFnMut() -> Answer) -> usize {
    for judged in 0..30 {
        let answer = attempt().await;
        if answer.status == 429 {
            let wait: u64 = answer.header("retry-after").parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            return judged;
        }
        assert_eq!(answer.status, 401);
    }
    panic!("thirty guesses and no end");
}

/// So many wrong logins before: no test waits for them.
async fn guessed_before(guarded: &Guarded, key: &str, times: u32) {
    guarded
        .redis
        .command(&format!("HSET {{sandbox}}:refused:{key} times {times}"))
        .await;
}

/// Time passes.
async fn waited(guarded: &Guarded, key: &str) {
    guarded
        .redis
        .command(&format!("HSET {{sandbox}}:refused:{key} until 0"))
        .await;
}

#[tokio::test]
async fn who_guesses_at_the_login_waits_longer_and_longer_and_never_for_good() {
    let guarded = Guarded::start().await;
    let log_in = async |token| guarded.browser().log_in(token, "Eve").await;
    let judged = guesses_until_held(async || log_in(WRONG).await).await;
    assert!(
        judged > 5,
        "a few slips of the keyboard cost nothing: {judged}"
    );
    // After very many: one guess a minute, and meanwhile even the right token is none.
    guessed_before(&guarded, "login:127.0.0.1", 1_000_000).await;
    waited(&guarded, "login:127.0.0.1").await;
    assert_eq!(log_in(WRONG).await.status, 401);
    for token in [WRONG, OPERATOR, VIEWER] {
        let held = log_in(token).await;
        assert_eq!(
            (held.status, held.header("set-cookie")),
            (429, String::new())
        );
        let wait: u64 = held.header("retry-after").parse().unwrap();
        assert!(wait <= 60, "{wait}");
    }
    let until = async || -> String {
        let key = "HGET {sandbox}:refused:login:127.0.0.1 until";
        redis::from_redis_value(guarded.redis.command(key).await).unwrap()
    };
    let before = until().await;
    log_in(WRONG).await;
    assert_eq!(until().await, before, "who is held makes it no longer");
    // When the wait is over the right token is right, and all is forgotten.
    waited(&guarded, "login:127.0.0.1").await;
    assert_eq!(log_in(OPERATOR).await.status, 303);
    assert_eq!(log_in(WRONG).await.status, 401);
    assert_eq!(log_in(OPERATOR).await.status, 303);
}

#[tokio::test]
async fn the_wait_ends_by_itself() {
    let guarded = Guarded::start().await;
    guesses_until_held(async || guarded.browser().log_in(WRONG, "Eve").await).await;
    until_true("the right token is right again", async || {
        guarded.browser().log_in(OPERATOR, "Ada").await.status == 303
    })
    .await;
}

#[tokio::test]
async fn bearer_tokens_are_no_way_around_it_nor_is_another_process_or_an_invented_address() {
    let guarded = Guarded::start().await;
    let other = ready(&guarded.relay).await;
    guessed_before(&guarded, "bearer:127.0.0.1", 1_000_000).await;
    assert_eq!(
        guarded
            .browser()
            .bearer(WRONG)
            .get("/api/v1/status")
            .await
            .status,
        401
    );
    for address in [guarded.service.address(), other.address()] {
        let browser = Browser::at(address);
        let invented = browser.with("x-forwarded-for", "203.0.113.7");
        for path in ["/api/v1/status", "/metrics", "/"] {
            for token in [WRONG, OPERATOR] {
                assert_eq!(invented.bearer(token).get(path).await.status, 429, "{path}");
            }
        }
        // What needs no token stands open, and shows no more to who guesses.
        let probe = browser.bearer(OPERATOR).get("/readyz").await;
        assert!(!probe.body.contains("roles"), "{}", probe.body);
        assert_eq!(browser.get("/healthz").await.status, 200);
    }
    // Who guesses tokens keeps nobody from logging in.
    assert_eq!(guarded.browser().log_in(OPERATOR, "Ada").await.status, 303);
    waited(&guarded, "bearer:127.0.0.1").await;
    assert_eq!(
        guarded
            .browser()
            .bearer(OPERATOR)
            .get("/api/v1/status")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn who_guesses_from_everywhere_is_slowed_down_and_keeps_nobody_out_who_has_been_in() {
    let guarded = Guarded::with(|relay| relay.set("console.trusted_proxies", "127.0.0.1")).await;
    let from = |address: &str| guarded.browser().with("x-forwarded-for", address);
    assert_eq!(
        from("203.0.113.1").log_in(OPERATOR, "Ada").await.status,
        303
    );
    guessed_before(&guarded, "login", 1_000_000).await;
    assert_eq!(from("198.51.100.1").log_in(WRONG, "Eve").await.status, 401);
    let held = guarded
        .redis
        .command("HSET {sandbox}:refused:login until 99999999999999")
        .await;
    drop(held);
    for address in ["198.51.100.1", "198.51.100.2", "2001:db8::1"] {
        assert_eq!(
            from(address).log_in(OPERATOR, "Eve").await.status,
            429,
            "{address}"
        );
    }
    assert_eq!(
        from("203.0.113.1").log_in(OPERATOR, "Ada").await.status,
        303
    );
    // What a client writes before the proxy's own word is no address.
    assert_eq!(
        from("203.0.113.1, 198.51.100.3")
            .log_in(OPERATOR, "Eve")
            .await
            .status,
        429
    );
}

/// Who was refused, as the audit has it, newest first.
async fn refusals(guarded: &Guarded) -> Vec<String> {
    let browser = guarded.browser();
    let page = browser
        .bearer(OPERATOR)
        .get("/api/v1/audit?action=login_refused&limit=1000")
        .await;
    let page: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|entry| entry["detail"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn who_guesses_stands_in_the_audit_once_in_a_while_and_cannot_fill_it() {
    let guarded = Guarded::with(|relay| relay.set("console.trusted_proxies", "127.0.0.1")).await;
    let from = |address: &str| guarded.browser().with("x-forwarded-for", address);
    for _ in 0..5 {
        assert_eq!(from("198.51.100.1").log_in(WRONG, "Eve").await.status, 401);
    }
    assert_eq!(from("198.51.100.2").log_in(WRONG, "Eve").await.status, 401);
    let noted = refusals(&guarded).await;
    assert_eq!(noted.len(), 2, "{noted:?}");
    assert!(
        noted[1].contains("198.51.100.1") && noted[0].contains("198.51.100.2"),
        "{noted:?}"
    );
    // Another door is another attack.
    let wrong = from("198.51.100.1")
        .bearer(WRONG)
        .get("/api/v1/status")
        .await;
    assert_eq!(wrong.status, 401);
    assert_eq!(refusals(&guarded).await.len(), 3);
    // A quarter of an hour later it is told again.
    let told = "HSET {sandbox}:refused:login:198.51.100.1 until 0 told 1";
    guarded.redis.command(told).await;
    assert_eq!(from("198.51.100.1").log_in(WRONG, "Eve").await.status, 401);
    assert_eq!(refusals(&guarded).await.len(), 4);
    // From however many addresses.
    for last in 3..40 {
        let _ = from(&format!("198.51.100.{last}"))
            .log_in(WRONG, "Eve")
            .await;
    }
    let noted = refusals(&guarded).await.len();
    assert!((5..=21).contains(&noted), "{noted}");
}
