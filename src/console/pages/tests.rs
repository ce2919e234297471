use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use futures::StreamExt;
use jobs::{
    change::FieldNames,
    destination::{Destination, Vendor},
};
use serde_json::{json, value::to_raw_value};
use tempfile::TempDir;
use tower::Service;

use super::*;
use crate::{
    config::Schedule,
    console::{Guard, Heartbeats, Rules, Tokens, router},
    operations::Operations,
    queue::{Queue, QueueSettings, audit::Actor, embedded::EmbeddedRedis, letters::LetterFilter},
    vendors::{AlumniqClient, ClientSettings},
    workers::producer::{Producer, arrival},
};

mod colours;

const HOSTILE: &str = "x/<script>alert(1)</script>\"' onload=\"y\u{202e}\u{1f600}";
const XID: &str = "1001-<b>secret</b>";

/// A console before a queue of its own, and a browser that keeps its cookie.
struct Stage {
    console: Console,
    queue: Queue,
    redis: EmbeddedRedis,
    _directory: TempDir,
    cookie: Mutex<Option<String>>,
    token: Option<&'static str>,
}

impl Stage {
    async fn new() -> Self {
        Self::guarded(Tokens::default()).await
    }

    async fn guarded(tokens: Tokens) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let redis = EmbeddedRedis::start(&directory.path().join("redis"), "redis-server")
            .await
            .unwrap();
        let settings = QueueSettings {
            urls: vec![redis.url()],
            namespace: "campus".to_owned(),
            response_timeout: Duration::from_secs(20),
            keep: Duration::from_secs(3600),
            keep_payload: Duration::ZERO,
            keep_audit: Duration::from_secs(3600),
            destinations: Destination::ALL.to_vec(),
            patience: Duration::from_secs(3600),
            seals: Default::default(),
        };
        let queue = Queue::connect(settings).await.unwrap();
        let guard = Guard::new(Rules {
            tokens,
            ..Rules::open()
        });
        let _ = guard.queue.set(queue.clone());
        let console = Console {
            metrics: crate::metrics::install("test"),
            heartbeats: Heartbeats::default(),
            guard,
            operations: Arc::new(OnceLock::from(operations(&queue))),
        };
        Self {
            console,
            queue,
            redis,
            _directory: directory,
            cookie: Mutex::default(),
            token: None,
        }
    }

    /// Changes whose rows cannot be read: dead letters at once.
    async fn kill(&self, ids: &[&str]) {
        let operations = self.console.operations.get().unwrap();
        let changes: Vec<_> = ids
            .iter()
            .map(|id| {
                let row = json!({ "changeId": id, "xid": XID, "changedOn": "no day" });
                let row = to_raw_value(&row).unwrap();
                arrival(row, &operations.names, &operations.timezone)
            })
            .collect();
        self.queue
            .enqueue(1_795_312_800_000, &changes)
            .await
            .unwrap();
        let total = self.letters().await;
        assert_eq!(total, ids.len() as u64);
    }

    /// A change of somebody, on its way.
    async fn fetch(&self, id: &str) {
        let operations = self.console.operations.get().unwrap();
        let row = json!({ "changeId": id, "xid": XID, "changedOn": "2026-11-20" });
        let row = to_raw_value(&row).unwrap();
        let change = arrival(row, &operations.names, &operations.timezone);
        self.queue
            .enqueue(1_795_312_800_000, &[change])
            .await
            .unwrap();
    }

    async fn letters(&self) -> u64 {
        let all = LetterFilter::default();
        self.queue.letters(&all, None, 1).await.unwrap().total
    }

    fn request(&self, method: &str, path: &str, body: Body) -> Request<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1:9464");
        if let Some(cookie) = &*self.cookie.lock().unwrap() {
            request = request.header(header::COOKIE, cookie);
        }
        if let Some(token) = self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if method == "POST" {
            request = request
                .header(header::ORIGIN, "http://127.0.0.1:9464")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        request.body(body).unwrap()
    }

    async fn answer(
        &self,
        method: &str,
        path: &str,
        body: String,
    ) -> (StatusCode, HeaderMap, String) {
        let request = self.request(method, path, Body::from(body));
        let response = router(self.console.clone()).call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        if let Some(cookie) = parts.headers.get(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
            *self.cookie.lock().unwrap() = Some(cookie.to_owned());
        }
        let body = to_bytes(body, 1 << 22).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        (parts.status, parts.headers, body)
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let (status, _, body) = self.answer("GET", path, String::new()).await;
        (status, body)
    }

    /// What the form on `page` that goes to `action` sends, with `fields` filled in.
    async fn submit(
        &self,
        page: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap) {
        let (_, body) = self.get(page).await;
        let from = body
            .find(&format!("action=\"{action}\""))
            .expect("no such form");
        let form = &body[from..][..body[from..].find("</form>").unwrap()];
        let mut query = form_urlencoded::Serializer::new(String::new());
        for field in form.split("<input type=\"hidden\" name=\"").skip(1) {
            let mut parts = field.split('"');
            let (name, value) = (parts.next().unwrap(), parts.nth(1).unwrap());
            query.append_pair(name, &value.replace("&amp;", "&").replace("&lt;", "<"));
        }
        for (name, value) in fields {
            query.append_pair(name, value);
        }
        let (status, headers, _) = self.answer("POST", action, query.finish()).await;
        (status, headers)
    }

    async fn stop(self) {
        self.redis.stop().await.unwrap();
    }
}

fn operations(queue: &Queue) -> Operations {
    let names = Arc::new(FieldNames::default());
    let timezone = jiff::tz::TimeZone::get("America/New_York").unwrap();
    let client = AlumniqClient::new(
        "http://127.0.0.1:1/api",
        "key".into(),
        ClientSettings::default(),
    );
    Operations {
        queue: queue.clone(),
        names: Arc::clone(&names),
        timezone: timezone.clone(),
        anonymous_allowed: false,
        crm: None,
        salsa: None,
        producer: Arc::new(Producer {
            queue: queue.clone(),
            client: Arc::new(client.unwrap()),
            names,
            timezone,
            lookback_days: 7,
            schedule: Schedule::Every(Duration::from_secs(900)),
            mark_on_fetch: false,
            lease: Duration::from_secs(10),
            who: "test".to_owned(),
            traces: Default::default(),
        }),
        max_wait: Duration::from_secs(5),
    }
}

/// Every address that a page leads to: `href`, and where its forms go.
fn addresses(body: &str) -> BTreeSet<String> {
    ["href=\"", "action=\""]
        .into_iter()
        .flat_map(|name| body.split(name).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .map(|address| address.replace("&amp;", "&"))
        .map(|address| address.split('#').next().unwrap_or_default().to_owned())
        .filter(|address| !address.is_empty())
        .collect()
}

/// Every page that can be come to from the overview.
async fn crawl(stage: &Stage) -> Vec<(String, StatusCode, String)> {
    let mut todo = vec!["/".to_owned()];
    let mut seen = BTreeSet::from(["/".to_owned()]);
    let mut pages = Vec::new();
    while let Some(address) = todo.pop() {
        let (status, body) = stage.get(&address).await;
        // The runbook has a test of its own, and links within itself.
        let is_ours = body.starts_with("<!DOCTYPE html>");
        for next in addresses(&body).into_iter().filter(|_| is_ours) {
            assert!(
                next.starts_with('/') && !next.starts_with("//"),
                "{address} leads to {next}"
            );
            if seen.insert(next.clone()) {
                todo.push(next);
            }
        }
        pages.push((address, status, body));
    }
    pages
}

#[tokio::test]
async fn every_link_and_form_of_every_page_leads_somewhere() {
    let stage = Stage::new().await;
    stage.kill(&["41", "42", HOSTILE, "..", "a/b?c#d"]).await;
    stage
        .queue
        .pause(Vendor::Crm, &Actor::at_command("ana"))
        .await
        .unwrap();
    let pages = crawl(&stage).await;
    for page in [
        "/dead-letters",
        "/changes",
        "/destinations",
        "/audit",
        "/changes/41",
        "/dead-letters/alumniq/a%2Fb%3Fc%23d",
    ] {
        assert!(
            pages
                .iter()
                .any(|(address, status, _)| address == page && *status == StatusCode::OK),
            "{page}"
        );
    }
    for (address, status, _) in &pages {
        // What only forms go to is there, though not for a link.
        assert!(
            [StatusCode::OK, StatusCode::METHOD_NOT_ALLOWED].contains(status),
            "{address}: {status}"
        );
    }
    stage.stop().await;
}

#[tokio::test]
async fn what_others_wrote_stays_text_and_pages_bring_nothing_inline() {
    let stage = Stage::new().await;
    stage.kill(&[HOSTILE, "41"]).await;
    let by = Actor::at_command("<img src=x onerror=alert(1)>\u{202e}");
    stage.queue.pause(Vendor::Salsa, &by).await.unwrap();
    let pages = crawl(&stage).await;
    let mut shown = 0;
    for (address, _, body) in pages
        .iter()
        .filter(|(_, _, body)| body.starts_with("<!DOCTYPE html>"))
    {
        for bad in [
            "<script>",
            "<img",
            "<b>secret",
            " style=",
            "<style",
            "javascript:",
            "http:",
            "https:",
        ] {
            assert!(!body.contains(bad), "{address} has {bad}");
        }
        for element in body.split('<').filter_map(|rest| rest.split('>').next()) {
            // Quoted values apart, no attribute begins with "on".
            let names: String = element.split('"').step_by(2).collect();
            assert!(!names.contains(" on"), "{address}: <{element}>");
        }
        for form in body
            .split("<form")
            .skip(1)
            .map(|rest| rest.split("</form>").next().unwrap())
        {
            let sends = form.contains("method=\"post\"");
            assert_eq!(sends, form.contains("name=\"csrf\""), "{address}: {form}");
        }
        // Whatever turns the direction of text around is shut in.
        for (before, _) in body
            .match_indices('\u{202e}')
            .map(|(at, _)| body.split_at(at))
        {
            let opened = before.rfind("<bdi>").map(|at| &before[at..]);
            let in_attribute = before.rfind('"') > before.rfind('>');
            assert!(
                in_attribute || opened.is_some_and(|inside| !inside.contains("</bdi>")),
                "{address}"
            );
            shown += 1;
        }
    }
    assert!(shown > 3);
    stage.stop().await;
}

#[tokio::test]
async fn a_viewer_sees_neither_people_nor_forms_that_act() {
    let tokens = Tokens {
        operator: Some("open-sesame".into()),
        viewer: Some("just-looking".into()),
    };
    let mut stage = Stage::guarded(tokens).await;
    stage.kill(&["41"]).await;
    assert_eq!(stage.get("/").await.0, StatusCode::SEE_OTHER);
    stage.token = Some("just-looking");
    for (address, status, body) in crawl(&stage).await {
        assert!(!body.contains("1001-"), "{address}");
        assert!(!body.contains("method=\"post\""), "{address}");
        assert_eq!(status, StatusCode::OK, "{address}");
    }
    stage.fetch("77").await;
    assert!(!stage.get("/changes/77").await.1.contains("1001-"));
    let person = links::person(XID);
    assert_eq!(stage.get(&person).await.0, StatusCode::FORBIDDEN);

    stage.token = Some("open-sesame");
    assert!(stage.get("/changes/77").await.1.contains(&person));
    assert!(stage.get(&person).await.1.contains("data-change=\"77\""));
    let (_, body) = stage.get("/dead-letters").await;
    assert!(body.contains("Discard all"), "{body}");
    stage.stop().await;
}

#[tokio::test]
async fn a_letter_is_discarded_with_a_reason_and_it_stands_in_the_audit() {
    let stage = Stage::new().await;
    stage.kill(&["41", "42"]).await;
    let page = "/dead-letters/alumniq/41";
    let action = "/dead-letters/alumniq/41/discard";
    let (status, _) = stage.submit(page, action, &[("reason", "  ")]).await;
    assert_eq!(
        (status, stage.letters().await),
        (StatusCode::BAD_REQUEST, 2)
    );
    let said = [
        ("reason", "carried over by hand <b>"),
        ("acknowledge", "yes"),
    ];
    let (status, headers) = stage.submit(page, action, &said).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(headers[header::LOCATION], "/changes/41");
    assert_eq!(stage.letters().await, 1);
    let (_, audit) = stage.get("/audit?action=discarded&change=41").await;
    assert!(audit.contains("carried over by hand &lt;b&gt;"), "{audit}");
    assert_eq!(stage.get(page).await.0, StatusCode::NOT_FOUND);
    stage.stop().await;
}

#[tokio::test]
async fn many_are_counted_before_they_are_given_up_and_a_misread_filter_touches_none() {
    let stage = Stage::new().await;
    stage.kill(&["41", "42", "43"]).await;
    let page = "/dead-letters/discard?destination=alumniq&class=undecodable";
    let (_, body) = stage.get(page).await;
    assert!(body.contains("Discard 3 dead letters"), "{body}");
    let action = "/dead-letters/discard";
    let wrong = [("reason", "x"), ("since", "yesterday")];
    let (status, _) = stage.submit(page, action, &wrong).await;
    assert_eq!(
        (status, stage.letters().await),
        (StatusCode::BAD_REQUEST, 3)
    );
    let wrong = [("reason", "x"), ("rate", "quickly")];
    let (status, _) = stage.submit(page, action, &wrong).await;
    assert_eq!(
        (status, stage.letters().await),
        (StatusCode::BAD_REQUEST, 3)
    );

    let said = [
        ("reason", "a test"),
        ("rate", "1000/s"),
        ("acknowledge", "yes"),
    ];
    let (status, headers) = stage.submit(page, action, &said).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let bulk = headers[header::LOCATION].to_str().unwrap().to_owned();
    let (_, body) = stage.get(&bulk).await;
    assert!(
        body.contains("0 of 3 dead letters") && body.contains("Cancel"),
        "{body}"
    );
    let operations = stage.console.operations.get().unwrap().clone();
    let closing = tokio_util::sync::CancellationToken::new();
    let lease = Duration::from_secs(10);
    let until_done = async {
        while !stage.get(&bulk).await.1.contains("data-state=\"done\"") {
            tokio::task::yield_now().await;
        }
        closing.cancel();
    };
    tokio::join!(operations.work_bulks("test", lease, &closing), until_done);
    let (_, body) = stage.get(&bulk).await;
    assert!(
        body.contains("3 of 3 dead letters") && !body.contains("Cancel"),
        "{body}"
    );
    assert_eq!(stage.letters().await, 0);
    stage.stop().await;
}

#[tokio::test]
async fn a_bulk_is_cancelled_on_its_page() {
    let stage = Stage::new().await;
    stage.kill(&["41"]).await;
    let page = "/dead-letters/replay?destination=alumniq";
    let (_, headers) = stage.submit(page, "/dead-letters/replay", &[]).await;
    let bulk = headers[header::LOCATION].to_str().unwrap().to_owned();
    let cancel = format!("{bulk}/cancel");
    assert_eq!(
        stage.submit(&bulk, &cancel, &[]).await.0,
        StatusCode::SEE_OTHER
    );
    assert!(
        stage
            .get(&bulk)
            .await
            .1
            .contains("data-state=\"cancelled\"")
    );
    assert_eq!(stage.letters().await, 1);
    assert_eq!(stage.get("/bulks/nothing").await.0, StatusCode::NOT_FOUND);
    stage.stop().await;
}

#[tokio::test]
async fn row_data_is_hidden_until_asked_for_and_who_asks_is_written_down() {
    let stage = Stage::new().await;
    stage.kill(&["41"]).await;
    let page = "/dead-letters/alumniq/41";
    assert!(!stage.get(page).await.1.contains("no day"));
    assert!(
        !stage
            .get("/audit")
            .await
            .1
            .contains("data-audit=\"revealed\"")
    );
    let (_, body) = stage.get(page).await;
    let csrf = body.split("name=\"csrf\" value=\"").nth(1).unwrap();
    let sent = format!("csrf={}", csrf.split('"').next().unwrap());
    let (status, _, body) = stage.answer("POST", &format!("{page}/row"), sent).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        body.contains("no day") && body.contains("1001-&lt;b&gt;secret"),
        "{body}"
    );
    assert!(
        stage
            .get("/audit")
            .await
            .1
            .contains("data-audit=\"revealed\"")
    );
    stage.stop().await;
}

#[tokio::test]
async fn a_gate_is_shut_and_opened_by_its_buttons() {
    let stage = Stage::new().await;
    let (status, _) = stage
        .submit("/destinations", "/destinations/crm/pause", &[])
        .await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(stage.get("/").await.1.contains("The CRM is held by"));
    let (status, _) = stage
        .submit("/destinations", "/destinations/crm/resume", &[])
        .await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(!stage.get("/").await.1.contains("The CRM is held by"));
    stage.stop().await;
}

#[tokio::test]
async fn letters_are_paged_newest_first_and_none_is_shown_twice() {
    let stage = Stage::new().await;
    let ids: Vec<String> = (1000..1120).map(|id| id.to_string()).collect();
    stage
        .kill(&ids.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let (mut address, mut seen, mut pages) = ("/dead-letters".to_owned(), BTreeSet::new(), 0);
    loop {
        let (_, body) = stage.get(&address).await;
        assert!(body.contains("120 dead letters"), "{body}");
        for rest in body.split("data-letter=\"alumniq/").skip(1) {
            assert!(seen.insert(rest.split('"').next().unwrap().to_owned()));
        }
        pages += 1;
        let Some(next) = body.split("rel=\"next\" href=\"").nth(1) else {
            break;
        };
        address = next.split('"').next().unwrap().replace("&amp;", "&");
    }
    assert_eq!((seen.len(), pages), (120, 3));
    stage.stop().await;
}

#[tokio::test]
async fn what_has_changed_is_told_to_who_watches() {
    let stage = Stage::new().await;
    let request = stage.request("GET", "/live?page=overview", Body::empty());
    let response = router(stage.console.clone()).call(request).await.unwrap();
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    let mut events = response.into_body().into_data_stream();
    let mut told = String::new();
    while !told.contains("\n\n") {
        told += std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap();
    }
    assert!(told.starts_with("event: changed\ndata: ["), "{told}");
    for id in ["verdict", "flow", "attention", "limits", "fleet"] {
        assert!(told.contains(&format!("\"id\":\"{id}\"")), "{id}: {told}");
    }
    stage.kill(&["41"]).await;
    told.clear();
    while !told.contains("1 change needs a person") {
        told += std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap();
    }
    assert_eq!(
        stage.get("/live?page=elsewhere").await.0,
        StatusCode::BAD_REQUEST
    );
    drop(events);
    stage.stop().await;
}

#[tokio::test]
async fn assets_are_kept_for_good_and_need_nobody_logged_in() {
    let tokens = Tokens {
        operator: Some("open-sesame".into()),
        viewer: None,
    };
    let stage = Stage::guarded(tokens).await;
    for (asset, kind) in [
        (&assets::STYLE, "text/css; charset=utf-8"),
        (&assets::SCRIPT, "text/javascript; charset=utf-8"),
        (&assets::ICON, "image/svg+xml"),
    ] {
        let (status, headers, _) = stage.answer("GET", &asset.address(), String::new()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[header::CONTENT_TYPE], kind);
        assert_eq!(
            headers[header::CACHE_CONTROL],
            "public, max-age=31536000, immutable"
        );
    }
    let old = stage.get("/assets/console-000000000000.css").await;
    assert_eq!(old.0, StatusCode::NOT_FOUND);
    stage.stop().await;
}
