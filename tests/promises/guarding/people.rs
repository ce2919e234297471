//! Whom the changes are about is nobody's business who only watches.

use std::collections::{BTreeMap, BTreeSet};

use harness::{
    redis::Redis,
    relay::{Relay, text},
    service::Service,
    vendors::vendors_with,
    waiting::until_true,
};
use sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

use super::{Browser, OPERATOR, VIEWER, roles::operations};

const CHANGES: usize = 120;

/// More than any console of so few changes has.
const MOST_PAGES: usize = 300;

/// Fields of a row that are nobody's data.
const IMPERSONAL: [&str; 3] = ["changeId", "changedOn", "source"];

/// Shorter values stand in any text by chance.
const TELLING: usize = 7;

/// Every page that links lead to from the overview, and what it shows.
pub async fn pages(browser: &Browser) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    let mut ahead = vec!["/".to_owned()];
    while let Some(path) = ahead.pop() {
        if shown.contains_key(&path) || shown.len() >= MOST_PAGES {
            continue;
        }
        let answer = browser.get(&path).await;
        let links = answer.body.split("href=\"/").skip(1);
        let links = links.filter_map(|rest| rest.split(['"', '#']).next());
        let wanted =
            links.filter(|link| !link.starts_with("assets/") && !link.starts_with("runbook"));
        ahead.extend(wanted.map(|link| format!("/{}", link.replace("&amp;", "&"))));
        shown.insert(path, answer.body);
    }
    shown
}

/// A fleet that has worked, with dead letters, and everybody's data.
struct Worked {
    service: Service,
    private: BTreeSet<String>,
    xids: BTreeSet<String>,
    changes: Vec<String>,
    /// Somebody with a dead letter.
    dead_xid: String,
    _relay: Relay,
    _sandbox: Sandbox,
    _redis: Redis,
}

async fn worked(settings: impl FnOnce(Relay) -> Relay) -> Worked {
    let sandbox = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: 50,
        anonymous: 3,
        missing_in_salsa: 4,
        invalid_fields: 4,
        undecodable: 2,
        ..SandboxOptions::default()
    })
    .await;
    let (mut private, mut xids) = (BTreeSet::new(), BTreeSet::new());
    for id in sandbox.report().unacknowledged {
        let change = sandbox.change(&id).unwrap();
        xids.extend(change.xid);
        let fields = change.row.as_object().unwrap().iter();
        let personal = fields.filter(|(key, _)| !IMPERSONAL.contains(&key.as_str()));
        private.extend(
            personal
                .filter_map(|(_, value)| value.as_str())
                .map(str::to_owned),
        );
    }
    private.retain(|value| value.chars().count() >= TELLING);
    private.extend(xids.iter().cloned());
    assert!(private.len() > CHANGES, "{}", private.len());
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("console.operator_token", OPERATOR)
        .set("console.viewer_token", VIEWER)
        .set("history.keep_payload", "1h");
    let relay = settings(relay);
    let service = relay.start("producer,crm,salsa,acknowledger,console").await;
    until_true("every change is through or dead", async || {
        let books = &relay.status().await["books"];
        books["fetched"] == CHANGES && books["in_flight"] == 0
    })
    .await;
    let letters = relay.dead().await;
    let dead_xid = letters.iter().find_map(|letter| letter["xid"].as_str());
    // All of them: those that no vendor was asked about die first, and say nothing of the CRM.
    let dead: BTreeSet<String> = letters
        .iter()
        .map(|letter| text(&letter["change_id"]))
        .collect();
    let changes: Vec<String> = dead.into_iter().collect();
    let mut numbers = BTreeSet::new();
    for id in &changes {
        let timeline = relay.show(id).await;
        let events = timeline["events"].as_array().unwrap();
        let details = events.iter().filter_map(|event| event["detail"].as_str());
        numbers.extend(
            details
                .filter_map(|detail| detail.strip_prefix("updated "))
                .map(str::to_owned),
        );
    }
    assert!(!numbers.is_empty(), "no change was applied at the CRM");
    private.extend(numbers);
    Worked {
        dead_xid: dead_xid.unwrap().to_owned(),
        _relay: relay,
        service,
        private,
        xids,
        changes,
        _sandbox: sandbox,
        _redis: redis,
    }
}

impl Worked {
    fn browser(&self) -> Browser {
        Browser::at(self.service.address())
    }

    /// Everything that somebody with this token is shown, and where: pages and answers of the API.
    async fn shown_to(&self, token: &str) -> Vec<(String, String)> {
        let mut browser = self.browser();
        assert_eq!(browser.log_in(token, "Ada").await.status, 303);
        let mut shown: Vec<(String, String)> = pages(&browser).await.into_iter().collect();
        let mut wanted = Vec::new();
        for (method, path) in operations(&browser).await {
            if method != "GET" {
                continue;
            }
            // Whoever knows a changeId or guesses an xid asks for it.
            for id in &self.changes {
                wanted.push(path.replace("/41", &format!("/{id}")));
                wanted.push(path.replace("/crm/41", &format!("/salsa/{id}")));
            }
            for xid in self.xids.iter().take(3) {
                wanted.push(path.replace("/41", &format!("/{xid}")));
                wanted.push(format!("{path}?xid={xid}"));
            }
        }
        for id in &self.changes {
            for path in ["/changes", "/dead-letters/crm", "/dead-letters/salsa"] {
                wanted.push(format!("{path}/{id}"));
            }
        }
        wanted.extend(self.xids.iter().take(3).map(|xid| format!("/people/{xid}")));
        wanted.sort();
        wanted.dedup();
        for path in wanted {
            let body = browser.get(&path).await.body;
            shown.push((path, body));
        }
        shown
    }

    /// Where something of a person stands, except that a page may repeat what was asked for in its own address.
    fn leaks<'a>(&self, shown: &'a [(String, String)]) -> Vec<(&'a str, String)> {
        let mut leaks = Vec::new();
        for (path, body) in shown {
            for value in self
                .private
                .iter()
                .filter(|value| !path.contains(value.as_str()))
            {
                let json = Value::from(value.as_str()).to_string();
                let html = value
                    .replace('&', "&amp;")
                    .replace('<', "&lt;")
                    .replace('>', "&gt;")
                    .replace('"', "&quot;");
                let forms = [value.as_str(), json.trim_matches('"'), &html];
                if forms.iter().any(|form| holds(body, form)) {
                    leaks.push((path.as_str(), value.clone()));
                }
            }
        }
        leaks
    }
}

/// As a word of its own: an xid's digits may be a part of an id or of a time.
fn holds(body: &str, value: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric();
    body.match_indices(value).any(|(at, _)| {
        let before = body[..at].chars().next_back();
        let after = body[at + value.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[tokio::test]
async fn viewers_are_shown_nobody_wherever_they_look() {
    let worked = worked(|relay| relay).await;
    let shown = worked.shown_to(VIEWER).await;
    let leaks = worked.leaks(&shown);
    assert!(
        leaks.is_empty(),
        "{} leaks, e.g. {:?}",
        leaks.len(),
        &leaks[..leaks.len().min(12)]
    );
    // The search finds people where they are shown.
    let shown = worked.shown_to(OPERATOR).await;
    assert!(!worked.leaks(&shown).is_empty());
}

#[tokio::test]
async fn no_answer_tells_a_viewer_whether_an_xid_that_was_guessed_exists() {
    let worked = worked(|relay| relay).await;
    let mut browser = worked.browser();
    assert_eq!(browser.log_in(VIEWER, "Ada").await.status, 303);
    let mut paths: BTreeSet<String> = pages(&browser).await.into_keys().collect();
    // What viewers are shown no link to.
    paths.extend(
        [
            "/dead-letters/replay",
            "/dead-letters/discard",
            "/changes",
            "/people",
            "/live?page=bulk",
        ]
        .map(str::to_owned),
    );
    let operations = operations(&browser).await;
    paths.extend(
        operations
            .into_iter()
            .filter(|(method, _)| method == "GET")
            .map(|(_, path)| path),
    );
    // These count from now, and nobody may ask them for a person.
    paths.retain(|path| !path.starts_with("/live") && path != "/" && !path.starts_with("/?"));
    let dead = worked.dead_xid.as_str();
    for path in paths {
        let and = if path.contains('?') { '&' } else { '?' };
        for asking in [
            format!("{path}{and}xid="),
            format!("{path}{and}find=xid:"),
            format!("{path}/"),
        ] {
            let (known, unknown) = (format!("{asking}{dead}"), format!("{asking}no-such-person"));
            let (known, unknown) = (browser.get(&known).await, browser.get(&unknown).await);
            assert_eq!(known.status, unknown.status, "{asking}");
            let same = |body: &str| body.replace(dead, "").replace("no-such-person", "");
            if same(&known.body) != same(&unknown.body) {
                // Seconds may pass between two questions.
                let again = browser.get(&format!("{asking}{dead}")).await;
                let numberless = |body: &str| {
                    same(body)
                        .chars()
                        .filter(|c| !c.is_ascii_digit())
                        .collect::<String>()
                };
                assert_eq!(
                    numberless(&again.body),
                    numberless(&unknown.body),
                    "{asking}"
                );
            }
        }
    }
    for path in [
        "/dead-letters",
        "/dead-letters/replay",
        "/dead-letters/discard",
    ] {
        let answer = browser.get(&format!("{path}?xid={dead}")).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("People are hidden from you"), "{path}");
    }
}

#[tokio::test]
async fn viewers_see_people_where_the_configuration_says_so() {
    let worked = worked(|relay| relay.set("console.viewer_sees_people", "true")).await;
    let shown = worked.shown_to(VIEWER).await;
    assert!(!worked.leaks(&shown).is_empty());
}
