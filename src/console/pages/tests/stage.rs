//! A console before a queue of its own, and a browser that keeps its cookie.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use harness::{namespace::settlement, redis::Redis};
use jiff::tz::TimeZone;
use jobs::{
    change::FieldNames,
    country::CountryCodes,
    crm_update::CrmMapping,
    destination::{Destination, Vendor},
    outcome::DeadClass,
    trial::DestinationMapping,
};
use queue::{
    Queue, executor::Transition, lease::ClaimRequest, letters::LetterFilter, settlement::Settlement,
};
use serde_json::{Value, json, value::to_raw_value};
use tower::Service;

use crate::{
    config::Schedule,
    console::{Console, ConsoleTokens, Guard, Rules, router},
    observe::Heartbeats,
    operations::{Operations, OperationsConfig, allowed::ConfiguredLimits},
    pipeline::producer::{Producer, arrival},
    vendors::{AlumniqClient, ClientSettings},
};

pub const HOSTILE: &str = "x/<script>alert(1)</script>\"' onload=\"y\u{202e}\u{1f600}";
pub const XID: &str = "1001-<b>secret</b>";

/// A console before a queue of its own, and a browser that keeps its cookie.
pub struct TestConsole {
    pub console: Console,
    pub queue: Queue,
    _redis: Redis,
    cookie: Mutex<Option<String>>,
    pub token: Option<&'static str>,
}

impl TestConsole {
    pub async fn new() -> Self {
        Self::guarded(ConsoleTokens::default()).await
    }

    pub async fn guarded(tokens: ConsoleTokens) -> Self {
        let redis = Redis::start().await;
        let queue = redis.queue_with("campus", |_| {}).await;
        let guard = Guard::new(Rules {
            tokens,
            ..Rules::open()
        });
        let _ = guard.queue.set(queue.clone());
        let console = Console {
            metrics: crate::observe::metrics::install("test"),
            heartbeats: Heartbeats::default(),
            guard,
            operations: Arc::new(OnceLock::from(operations(&queue))),
        };
        Self {
            console,
            queue,
            _redis: redis,
            cookie: Mutex::default(),
            token: None,
        }
    }

    /// Changes whose rows cannot be read: dead letters at once.
    pub async fn kill(&self, ids: &[&str]) {
        let changes: Vec<_> = ids
            .iter()
            .map(|id| {
                let row = json!({ "changeId": id, "xid": XID, "changedOn": "no day" });
                let row = to_raw_value(&row).unwrap();
                arrival(row, &FieldNames::default(), &zone())
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
    pub async fn fetch(&self, id: &str) {
        let row = json!({ "changeId": id, "xid": XID, "changedOn": "2026-11-20" });
        self.fetch_row(row).await;
    }

    async fn fetch_row(&self, row: Value) {
        let row = to_raw_value(&row).unwrap();
        let change = arrival(row, &FieldNames::default(), &zone());
        self.queue
            .enqueue(1_795_312_800_000, &[change])
            .await
            .unwrap();
    }

    /// Changes that the CRM's mapping refused, with what was sent of each.
    pub async fn refuse(&self, rows: &[Value], sent: Option<&Value>) {
        for row in rows {
            self.fetch_row(row.clone()).await;
        }
        let claim = ClaimRequest {
            most: 100,
            held: 0,
            lease: Duration::from_secs(600),
            fleet_limit: 100,
            full_batch: 1,
            linger_over: true,
        };
        let leases = self
            .queue
            .claim(Destination::Crm, "test", &claim)
            .await
            .unwrap()
            .leases;
        assert_eq!(leases.len(), rows.len());
        let settlements: Vec<Settlement> = leases
            .iter()
            .map(|lease| {
                let sent = sent.map(Value::to_string);
                let stored = |sent: String| {
                    let id = &lease.change_id;
                    self.queue.stored_document(Destination::Crm, id, &sent)
                };
                let refused = Transition::Dead {
                    class: DeadClass::Validation,
                    cause: "PhoneWork is no E.164 phone number".to_owned(),
                    advice: "adjust it".to_owned(),
                    attempts: 1,
                };
                Settlement {
                    sent: sent.map(stored),
                    ..settlement(lease, refused)
                }
            })
            .collect();
        let crm = Destination::Crm;
        self.queue.settle(crm, "test", &settlements).await.unwrap();
    }

    pub async fn letters(&self) -> u64 {
        let all = LetterFilter::default();
        self.queue.letters(&all, None, 1).await.unwrap().total
    }

    pub fn request(&self, method: &str, path: &str, body: Body) -> Request<Body> {
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

    pub async fn answer(
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

    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        let (status, _, body) = self.answer("GET", path, String::new()).await;
        (status, body)
    }

    /// What the form on `page` that goes to `action` sends, with `fields` filled in.
    pub async fn submit(
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
}

fn zone() -> TimeZone {
    TimeZone::get("America/New_York").unwrap()
}

fn operations(queue: &Queue) -> Operations {
    let names = Arc::new(FieldNames::default());
    let timezone = zone();
    let client = AlumniqClient::new(
        "http://127.0.0.1:1/api",
        "key".into(),
        ClientSettings::default(),
    );
    let mapping = CrmMapping::compile(&BTreeMap::new(), &names, CountryCodes::Alpha3).unwrap();
    let producer = Producer {
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
    };
    let config = OperationsConfig {
        anonymous_allowed: false,
        mappings: BTreeMap::from([(
            Destination::Crm,
            Arc::new(mapping) as Arc<dyn DestinationMapping>,
        )]),
        max_wait: Duration::from_secs(5),
        allowed: Vendor::ALL
            .map(|vendor| {
                let allowed = ConfiguredLimits {
                    concurrency: Some(8),
                    rate_per_minute: None,
                    batch: None,
                };
                (vendor, allowed)
            })
            .into(),
    };
    Operations::new(producer, config)
}
