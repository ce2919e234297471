//! Foreign pages that would like to act in an operator's name. The browser sends them to the console with the
//! operator's cookie: cookies do not know ports, and a page on another port of the same host is "the same site".

use std::net::SocketAddr;

use axum::{Router, response::Html, routing::get};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    chromium::Browser,
    fleet::{Fleet, OPERATOR, quiet},
};

/// Serves one page to everybody.
struct Foreign {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Foreign {
    async fn with(page: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async move || Html(page)));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, server }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A form that posts itself, and a script that does the same behind the scenes.
fn attack(target: &str, csrf: &str) -> String {
    format!(
        r#"<!doctype html><title>Win a prize</title>
        <form id="f" method="post" action="{target}">
          <input name="csrf" value="{csrf}"><input name="reason" value="because">
        </form>
        <button onclick="f.submit()">Win</button>
        <script>
          window.tried = fetch("{target}", {{
            method: "POST", mode: "no-cors", credentials: "include",
            headers: {{ "content-type": "application/x-www-form-urlencoded" }}, body: "csrf={csrf}",
          }}).then(() => "sent", () => "refused");
        </script>"#
    )
}

/// `browser` is at a page with a form.
async fn no_foreign_page_pauses_the_crm(fleet: &Fleet, browser: &Browser) {
    let target = browser.url("/destinations/crm/pause");
    // Even one that has got hold of what our own forms carry.
    let script = "return document.querySelector('main [name=csrf]').value";
    let csrf = browser.evaluate(script, &[]).await;
    let csrf = csrf.as_str().unwrap();
    for csrf in ["", "guessed", csrf] {
        let foreign = Foreign::with(attack(&target, csrf)).await;
        for host in ["127.0.0.1", "localhost"] {
            let page = format!("http://{host}:{}/", foreign.address.port());
            browser.go(&page).await;
            browser.evaluate("return window.tried", &[]).await;
            browser.press("body", "Win").await;
            browser.until_at_console().await;
            let paused = &fleet.relay.status().await["destinations"]["crm"]["paused"];
            assert_eq!(*paused, false, "from {page} with {csrf:?}");
            browser.forgive().await; // the refusals are said on the console
        }
    }
    // Their own page may, all the same.
    browser.visit("/destinations").await;
    browser.press("#crm", "Pause").await;
    browser
        .until_text("#crm", |gate| gate.contains("Resume"))
        .await;
    assert_eq!(
        fleet.relay.status().await["destinations"]["crm"]["paused"],
        true
    );
}

#[tokio::test]
async fn a_foreign_page_cannot_act_in_the_name_of_an_operator_who_is_logged_in() {
    let fleet = Fleet::guarded(quiet(4)).await;
    let browser = Browser::open(&fleet.console).await;
    browser.visit("/destinations").await;
    browser.forgive().await; // that nobody is known yet
    browser.log_in("Otto", OPERATOR).await;
    no_foreign_page_pauses_the_crm(&fleet, &browser).await;
    browser.close().await;
}

#[tokio::test]
async fn nor_where_nobody_has_to_log_in() {
    let fleet = Fleet::of(quiet(4)).await;
    let browser = Browser::open(&fleet.console).await;
    browser.visit("/destinations").await;
    no_foreign_page_pauses_the_crm(&fleet, &browser).await;
    browser.close().await;
}
