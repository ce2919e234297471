use harness::waiting::until_true;
use queue::audit::AuditFilter;

use super::{Guarded, OPERATOR, PAUSE, VIEWER, ready};

#[tokio::test]
async fn a_stolen_cookie_is_worth_nothing_after_the_logout() {
    let guarded = Guarded::start().await;
    let browser = guarded.logged_in(VIEWER).await;
    let stolen = browser.clone();
    assert!(stolen.is_in().await);
    assert_eq!(
        browser.post("/logout", &[]).await.status,
        403,
        "nobody is logged out by another website"
    );
    assert!(stolen.is_in().await);
    let csrf = browser.csrf().await;
    let answer = browser.post("/logout", &[("csrf", &csrf)]).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/login".to_owned())
    );
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert!(!stolen.is_in().await);
}

#[tokio::test]
async fn a_session_ends_with_the_token_that_opened_it_and_the_other_roles_goes_on() {
    let guarded = Guarded::start().await;
    let (operator, viewer) = (
        guarded.logged_in(OPERATOR).await,
        guarded.logged_in(VIEWER).await,
    );
    let Guarded {
        relay,
        service,
        sandbox: _sandbox,
        redis: _redis,
    } = guarded;
    service.stop().await;
    let relay = relay.set("console.operator_token", "another-operator-token");
    let service = relay.start("console").await;
    let moved = |browser: &super::Browser| {
        let mut moved = super::Browser::at(service.address());
        moved.cookie = browser.cookie.clone();
        moved
    };
    until_true("the console answers from Redis", async || {
        moved(&viewer).get("/").await.status == 200
    })
    .await;
    assert!(!moved(&operator).is_in().await);
    let answer = moved(&operator).get("/api/v1/status").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn every_login_has_a_new_id_whatever_the_browser_brought() {
    let guarded = Guarded::start().await;
    let mut browser = guarded.browser();
    // Somebody else put this into the browser before.
    let planted = format!("alumniq_relay_session={}", "A".repeat(43));
    browser.cookie = Some(planted.clone());
    assert_eq!(browser.log_in(OPERATOR, "Ada").await.status, 303);
    let first = browser.cookie.clone();
    assert_ne!(first.as_ref(), Some(&planted));
    let mut planter = guarded.browser();
    planter.cookie = Some(planted);
    assert!(!planter.is_in().await);
    // Another login in the same browser: the former session is over.
    assert_eq!(browser.log_in(VIEWER, "Ada").await.status, 303);
    assert_ne!(browser.cookie, first);
    planter.cookie = first;
    assert!(!planter.is_in().await);
    assert!(browser.is_in().await);
}

#[tokio::test]
async fn a_session_ends_when_nobody_uses_it_and_in_any_case_at_its_end() {
    let guarded = Guarded::with(|relay| {
        relay
            .set("console.session_idle", "10m")
            .set("console.session_lifetime", "20m")
    })
    .await;
    let browser = guarded.logged_in(OPERATOR).await;
    let key = session_key(&guarded).await;
    let left = async || -> i64 {
        redis::from_redis_value(guarded.redis.command(&format!("PTTL {key}")).await).unwrap()
    };
    assert!((1..=600_000).contains(&left().await));
    // Half of the idle time passes; a request gives it back, the live updates of an open page do not.
    guarded
        .redis
        .command(&format!("PEXPIRE {key} 300000"))
        .await;
    assert_eq!(browser.peek("/live?page=overview").await, 200);
    assert!(left().await <= 300_000);
    assert!(browser.is_in().await);
    assert!(left().await > 300_000);
    // Near its end no request prolongs it.
    let now: u64 = jiff::Timestamp::now().as_millisecond().try_into().unwrap();
    guarded
        .redis
        .command(&format!("HSET {key} ends {}", now + 60_000))
        .await;
    guarded.redis.command(&format!("PEXPIRE {key} 30000")).await;
    assert!(browser.is_in().await);
    assert!(left().await <= 60_000);
    guarded.redis.command(&format!("PEXPIRE {key} 0")).await;
    until_true("the session is over", async || !browser.is_in().await).await;
}

async fn session_key(guarded: &Guarded) -> String {
    let keys: Vec<String> =
        redis::from_redis_value(guarded.redis.command("KEYS *session:*").await).unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys[0].clone()
}

#[tokio::test]
async fn redis_holds_nothing_that_one_could_log_in_with() {
    let guarded = Guarded::start().await;
    let browser = guarded.logged_in(OPERATOR).await;
    let key = session_key(&guarded).await;
    let held: Vec<String> =
        redis::from_redis_value(guarded.redis.command(&format!("HGETALL {key}")).await).unwrap();
    let held = format!("{key} {held:?}");
    assert!(held.contains("Ada"), "{held}");
    let cookie = browser.cookie.clone().unwrap();
    let csrf = browser.csrf().await;
    for secret in [cookie.split_once('=').unwrap().1, OPERATOR, VIEWER, &csrf] {
        assert!(!held.contains(secret), "{held}");
    }
    let log = guarded.service.log();
    for secret in [cookie.split_once('=').unwrap().1, OPERATOR, VIEWER, &csrf] {
        assert!(!log.contains(secret));
    }
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_behind_tls_of_plain_connections()
{
    let guarded = Guarded::start().await;
    let plain = guarded
        .browser()
        .log_in(OPERATOR, "Ada")
        .await
        .header("set-cookie");
    assert!(plain.starts_with("alumniq_relay_session="), "{plain}");
    assert!(
        plain.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{plain}"
    );
    let mut behind = guarded.browser().with("x-forwarded-proto", "https");
    let answer = behind.log_in(OPERATOR, "Ada").await;
    let secure = answer.header("set-cookie");
    assert!(
        secure.starts_with("__Host-alumniq_relay_session="),
        "{secure}"
    );
    assert!(
        secure.ends_with("; Path=/; HttpOnly; SameSite=Strict; Secure"),
        "{secure}"
    );
    assert!(
        answer
            .header("strict-transport-security")
            .starts_with("max-age=")
    );
    assert!(behind.is_in().await);
    // What a page without TLS set under the plain name is nobody's session behind TLS.
    behind.cookie = behind.cookie.map(|cookie| cookie.replace("__Host-", ""));
    assert!(!behind.is_in().await);

    let always = guarded.relay.set("console.secure_cookie", "always");
    let service = ready(&always).await;
    let set = super::Browser::at(service.address())
        .log_in(OPERATOR, "Ada")
        .await
        .header("set-cookie");
    assert!(
        set.starts_with("__Host-") && set.contains("; Secure"),
        "{set}"
    );
}

#[tokio::test]
async fn whoever_logs_in_acts_under_the_name_that_the_audit_tells_on_one_line() {
    let guarded = Guarded::start().await;
    let mut browser = guarded.browser();
    let answer = browser
        .log_in(OPERATOR, "Ada\r\nSet-Cookie: evil=1\u{202e}")
        .await;
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 1);
    let csrf = browser.csrf().await;
    assert_eq!(browser.post(PAUSE, &[("csrf", &csrf)]).await.status, 200);
    let named = guarded
        .browser()
        .bearer(OPERATOR)
        .with("x-relay-operator", "Bo\tb\u{202e} \u{e9}");
    assert_eq!(
        named
            .post("/api/v1/destinations/crm/resume", &[])
            .await
            .status,
        200
    );
    guarded
        .browser()
        .log_in("no-token-of-ours-at-all", "Eve")
        .await;

    let queue = guarded.redis.queue_with("sandbox", |_| {}).await;
    let page = queue
        .audit(None, 10, &AuditFilter::default())
        .await
        .unwrap();
    let told: Vec<(String, &str)> = page
        .items
        .iter()
        .map(|entry| (entry.by.clone(), entry.action.as_str()))
        .collect();
    let ada = "Ada Set-Cookie: evil=1".to_owned();
    let expected = [
        ("somebody".to_owned(), "login_refused"),
        ("Bo b \u{e9}".to_owned(), "resumed"),
        (ada.clone(), "paused"),
        (ada, "logged_in"),
    ];
    assert_eq!(told, expected);
    let details = format!("{:?}", page.items);
    assert!(details.contains("127.0.0.1"), "{details}");
    for secret in [OPERATOR, "no-token-of-ours-at-all", "Eve"] {
        assert!(!details.contains(secret), "{details}");
    }
}
