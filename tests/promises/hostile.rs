//! Ids, rows and feeds that mean harm: each is applied, or a dead letter of its own, and the queue's keys stay
//! whole. What the decoders make of hostile bytes is tested beside them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use alumniq_relay::pipeline::producer::arrival;
use harness::{
    namespace::{Namespace, dead, done, retry},
    redis::Redis,
    relay::{Relay, text},
    vendors::vendors,
};
use jiff::tz::TimeZone;
use jobs::{
    change::{self, FieldNames},
    destination::{Destination::Crm, Vendor},
    outcome::DeadClass,
};
use proptest::{collection::vec, prelude::*, sample::select};
use queue::{
    intake::NewChange,
    lease::Lease,
    letters::{LetterFilter, LetterRef},
};
use sandbox::NewChanges;
use serde_json::{Value, json, value::to_raw_value};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

/// Changes of one case.
const CHANGES: usize = 10;

/// What a school may call an id, and what only an attacker would.
fn any_id() -> impl Strategy<Value = Value> {
    let word = select(vec![
        "1",
        "01",
        "001",
        "-0",
        "1e400",
        "0x1",
        "NaN",
        "a b",
        "a\nb",
        "a\0b",
        " ",
        "",
        "a,b",
        "{campus}:dead",
        "}",
        "*",
        "?",
        "%",
        "%d%s",
        "^(.*)$",
        "x:1",
        "a:1",
        "crm/1",
        "1 2 3",
        "\r\n*3\r\n",
        "\u{a0}",
        "\u{2028}",
        "\u{202e}1",
        "👩‍👧",
        "é",
        "e\u{301}",
        "\\",
        "\"",
        "'",
        "]]",
        "--[[",
        "nil",
        "true",
        "untold",
        "row-0123456789abcdef",
        "999999999999999999999",
        "1795273200000",
        "n0011",
        ":",
        "::",
        "\u{feff}",
        "\u{1b}[2J",
    ]);
    prop_oneof![
        4 => word.prop_map(Value::from),
        2 => "[0-9]{1,3}".prop_map(Value::from),
        2 => "\\PC{1,6}".prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => select(vec![json!(true), json!(null), json!({"a": 1}), json!([1]), json!("x".repeat(201)), json!("9".repeat(200)),
            json!("👩".repeat(200)), json!("x".repeat(100_000))]),
    ]
}

fn any_row() -> impl Strategy<Value = Value> {
    let moment = select(vec![
        json!(null),
        json!("2026-11-21"),
        json!("1970-01-01"),
        json!("9999-12-31"),
        json!("soon"),
        json!(0),
    ]);
    (any_id(), any_id(), moment)
        .prop_map(|(id, xid, moment)| json!({ "changeId": id, "xid": xid, "changedOn": moment }))
}

fn arrived(row: &Value) -> NewChange {
    arrival(
        to_raw_value(row).unwrap(),
        &FieldNames::default(),
        &TimeZone::UTC,
    )
}

/// Takes what can be taken. Each lease names a change that was put in and carries its row.
async fn claim(namespace: &Namespace, rows: &BTreeMap<String, Value>) -> Vec<Lease> {
    let leases = namespace.claim(Crm).await;
    for lease in &leases {
        let stored: Value = serde_json::from_str(lease.row.as_ref().unwrap().get()).unwrap();
        assert_eq!(Some(&stored), rows.get(&lease.change_id), "{lease:?}");
    }
    leases
}

/// All dead letters, one a page, by the cursor as people pass it on.
async fn letters(namespace: &Namespace) -> Vec<(Vendor, String, DeadClass)> {
    let mut found = Vec::new();
    let mut cursor: Option<LetterRef> = None;
    loop {
        let page = namespace
            .queue
            .letters(&LetterFilter::default(), cursor.as_ref(), 1)
            .await
            .unwrap();
        found.extend(
            page.items
                .into_iter()
                .map(|letter| (letter.destination, letter.change_id, letter.class)),
        );
        let Some(next) = page.next else {
            return found;
        };
        cursor = Some(next.to_string().parse().unwrap());
    }
}

/// Every change of the case on a way of its own: applied at once, after a failure, after a lost lease, or dead
/// and replayed; what is undecodable is discarded.
async fn all_ways(redis: &Redis, case: Vec<Value>) {
    let mut namespace = Namespace::of_crm(redis).await;
    redis::cmd("FLUSHALL")
        .exec_async(&mut namespace.connection)
        .await
        .unwrap();
    // One row an id, the oldest as the producer sorts them: `corrected` tries two rows with one id.
    let first_of_each_id = || {
        let mut arrivals: Vec<NewChange> = case.iter().map(arrived).collect();
        arrivals.sort_by(|a, b| a.order.cmp(&b.order));
        let mut ids = BTreeSet::new();
        arrivals.retain(|change| ids.insert(change.change_id.clone()));
        arrivals
    };
    let arrivals = first_of_each_id();
    let mut rows = BTreeMap::new();
    let mut stillborn = BTreeMap::new();
    let mut sound = BTreeSet::new();
    for change in &arrivals {
        let row: Value = serde_json::from_str(change.row.get()).unwrap();
        rows.insert(change.change_id.clone(), row);
        match &change.letter {
            Some(letter) => drop(stillborn.insert(change.change_id.clone(), letter.has_id)),
            None => drop(sound.insert(change.change_id.clone())),
        }
    }
    let count = rows.len() as u64;
    assert_eq!(namespace.enqueue(arrivals).await.enqueued, count);
    let again = namespace.enqueue(first_of_each_id()).await;
    assert_eq!(again.enqueued, 0, "known by now");

    let mut steps: BTreeMap<String, usize> = BTreeMap::new();
    let mut died = BTreeSet::new();
    loop {
        let leases = claim(&namespace, &rows).await;
        if leases.is_empty() {
            break;
        }
        for lease in leases {
            let seen = steps.len();
            let step = steps.entry(lease.change_id.clone()).or_insert(seen);
            *step += 4;
            let transition = match *step {
                5 => retry(1),
                6 => continue, // its holder died
                step if step % 4 == 3 => {
                    died.insert(lease.change_id.clone());
                    dead(DeadClass::Rejected)
                }
                _ => done(),
            };
            assert!(namespace.settle(Crm, &lease, transition).await);
        }
        namespace.age("due:crm").await;
        namespace.age("lease:crm").await;
    }
    assert_eq!(
        steps.keys().collect::<Vec<_>>(),
        sound.iter().collect::<Vec<_>>(),
        "each was worked on"
    );

    let found = letters(&namespace).await;
    let undecodable = stillborn
        .keys()
        .map(|id| (Vendor::Alumniq, id.clone(), DeadClass::Undecodable));
    // A change of the same person that came later may have made a letter of one that waited.
    let rejected = found
        .iter()
        .filter(|(vendor, ..)| *vendor == Vendor::Crm)
        .cloned();
    let expected: BTreeSet<_> = undecodable.chain(rejected).collect();
    assert_eq!(found.len(), expected.len());
    assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), expected);
    for id in &died {
        assert!(
            found.iter().any(|(_, dead, _)| dead == id),
            "{id:?} has its letter"
        );
    }
    for id in rows.keys() {
        assert!(
            namespace.queue.timeline(id).await.unwrap().is_some(),
            "{id:?} is known"
        );
    }

    for (vendor, id, _) in &found {
        match vendor {
            Vendor::Alumniq => namespace.discard(Vendor::Alumniq, id, false).await,
            vendor => namespace.replay(*vendor, id, true).await,
        }
    }
    loop {
        let leases = claim(&namespace, &rows).await;
        if leases.is_empty() {
            break;
        }
        for lease in &leases {
            assert!(namespace.settle(Crm, lease, done()).await);
        }
    }
    let mut told = namespace.acknowledge_all().await;
    told.sort();
    let with_id = stillborn
        .into_iter()
        .filter_map(|(id, has_id)| has_id.then_some(id));
    let expected: BTreeSet<String> = sound.into_iter().chain(with_id).collect();
    assert_eq!(
        told,
        expected.into_iter().collect::<Vec<_>>(),
        "AlumnIQ is told of each once"
    );
    let list = jobs::acknowledge::change_id_list(&told);
    assert!(told.is_empty() || list.split(',').count() == told.len());
    let books = namespace.books().await;
    assert_eq!(
        (books.fetched as u64, books.in_flight, books.dead),
        (count, 0, 0),
        "{books:?}"
    );
}

#[test]
fn no_id_however_odd_is_lost_mixed_up_or_told_twice() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let redis = runtime.block_on(Redis::start());
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let config = ProptestConfig {
        cases: config.cases / 4,
        ..config
    };
    proptest!(config, |(case in vec(any_row(), 1..CHANGES))| {
        runtime.block_on(all_ways(&redis, case));
    });
}

/// AlumnIQ's side as raw bytes: `GET` answers the feed, `PUT` is accepted and remembered.
pub struct Feed {
    pub url: String,
    told: Arc<Mutex<Vec<String>>>,
    body: Arc<Mutex<Vec<u8>>>,
}

impl Feed {
    /// From now on the feed is this.
    pub fn lists(&self, body: &str) {
        *self.body.lock().unwrap() = body.into();
    }

    /// The changeIds that were PUT so far.
    pub fn told(&self) -> Vec<String> {
        let told = self.told.lock().unwrap().join("%2C");
        told.split("%2C")
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
            .collect()
    }

    pub async fn start(body: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1/index.cfm", listener.local_addr().unwrap());
        let (told, body) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(body)));
        let (remember, listed) = (Arc::clone(&told), Arc::clone(&body));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (body, told) = (Arc::clone(&listed), Arc::clone(&remember));
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    loop {
                        let (mut head, mut length) = (String::new(), 0);
                        while stream.read_line(&mut head).await.unwrap_or(0) > 2 {}
                        for line in head.to_lowercase().lines() {
                            if let Some(value) = line.strip_prefix("content-length: ") {
                                length = value.parse().unwrap();
                            }
                        }
                        let mut form = vec![0; length];
                        if head.is_empty() || stream.read_exact(&mut form).await.is_err() {
                            return;
                        }
                        let answer: Vec<u8> = match head.starts_with("GET") {
                            true => body.lock().unwrap().clone(),
                            false => {
                                let form = String::from_utf8(form).unwrap();
                                told.lock()
                                    .unwrap()
                                    .extend(form.split("changeIdList=").skip(1).map(str::to_owned));
                                Vec::new()
                            }
                        };
                        let head = format!(
                            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                            answer.len()
                        );
                        let _ = stream.write_all(head.as_bytes()).await;
                        let _ = stream.write_all(&answer).await;
                    }
                });
            }
        });
        Self { url, told, body }
    }
}

#[tokio::test]
async fn rows_that_no_parser_takes_are_dead_letters_with_their_ids_and_the_others_go_on() {
    const CHANGES: usize = 4;
    let sandbox = vendors(0, 2).await;
    let good = sandbox.add_changes(&NewChanges {
        count: CHANGES,
        ..NewChanges::default()
    });
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = "x".repeat(10 << 20);
    let mut rows: Vec<String> = good
        .iter()
        .map(|id| sandbox.change(id).unwrap().row.to_string())
        .collect();
    rows.extend([
        r#"{"changeId":"p-number","xid":"1","fax":1e400}"#.to_owned(),
        r#"{"changeId":"p-surrogate","xid":"1","employer":"cut \ud83d"}"#.to_owned(),
        format!(r#"{{"changeId":"p-deep","xid":"1","city":{deep}}}"#),
        format!(r#"{{"changeId":"p-long","xid":"1","notes":"{long}"}}"#),
        r#"{"changeId":"p-lines","xid":"1\n2"}"#.to_owned(),
        deep,
    ]);
    // As some servers of this kind leave a text that was pasted.
    rows[0] = rows[0].replacen('{', "{\"notes\": \"a\u{b}b\nc\",", 1);
    let feed = Feed::start(format!("[{}]", rows.join(",\r\n")).into_bytes()).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.url", &feed.url);
    let synced = relay
        .run(&["sync", "--wait", "--json"])
        .await
        .expect(3)
        .json();
    assert_eq!(
        (&synced["acknowledged"], &synced["dead"]),
        (&json!(CHANGES), &json!(6)),
        "{synced}"
    );

    let letters = relay.dead().await;
    let mut ids: Vec<String> = letters
        .iter()
        .map(|letter| text(&letter["change_id"]))
        .collect();
    ids.sort();
    assert_eq!(
        ids[..5],
        ["p-deep", "p-lines", "p-long", "p-number", "p-surrogate"]
    );
    assert!(ids[5].starts_with("row-"), "{ids:?}");
    for letter in &letters {
        assert_eq!(letter["class"], "undecodable", "{letter}");
        assert!(letter.to_string().len() < 1_000, "{letter}");
    }
    let mut connection = redis.connect().await;
    let memory: String = redis::cmd("INFO")
        .arg("memory")
        .query_async(&mut connection)
        .await
        .unwrap();
    let used = memory
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"))
        .unwrap();
    assert!(
        used.parse::<usize>().unwrap() < change::MAX_ROW * 4,
        "{used} bytes: rows that are too long are not kept"
    );

    relay.run(&["sync", "--wait"]).await;
    assert_eq!(
        relay.dead().await,
        letters,
        "the same rows are the same letters"
    );
    relay.run(&["dead", "replay", "p-long"]).await.expect(1);
    relay
        .run(&["dead", "discard", "--all", "--reason", "poison"])
        .await
        .expect(0);
    relay.run(&["sync", "--wait"]).await;
    let mut told = feed.told();
    told.retain(|id| id.starts_with("p-"));
    told.sort();
    told.dedup();
    assert_eq!(told, ids[..5], "AlumnIQ is told of those that it knows");
}

#[tokio::test]
async fn a_row_that_is_no_json_is_one_dead_letter_and_everyone_elses_rows_are_taken_in() {
    let sandbox = vendors(0, 2).await;
    let good = sandbox.add_changes(&NewChanges {
        count: 4,
        ..NewChanges::default()
    });
    let row = |at: usize| sandbox.change(&good[at]).unwrap().row.to_string();
    let body = [
        row(0),
        r#"{"changeId":"b-word","xid":"1","employer":NaN}"#.to_owned(),
        row(1),
        r#"{"changeId":"b-quote","xid":"2","employer":"6" pipe"}"#.to_owned(),
        row(2).replacen('{', "{\"changeId\":0,", 1),
        // Nothing stands here.
        String::new(),
        row(3),
    ];
    let feed = Feed::start(format!("[{}]", body.join(",")).into_bytes()).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.url", &feed.url);
    let synced = relay
        .run(&["sync", "--wait", "--json"])
        .await
        .expect(3)
        .json();
    assert_eq!(
        (&synced["acknowledged"], &synced["dead"]),
        (&json!(4), &json!(3)),
        "{synced}"
    );
    let letters = relay.dead().await;
    let mut ids: Vec<String> = letters
        .iter()
        .map(|letter| text(&letter["change_id"]))
        .collect();
    ids.sort();
    assert_eq!(ids[..2], ["b-quote", "b-word"]);
    assert!(ids[2].starts_with("row-"), "{ids:?}");
    for letter in &letters {
        assert_eq!(letter["class"], "undecodable", "{letter}");
        let cause = text(&letter["cause"]);
        assert!(!cause.contains("pipe"), "{cause}");
        let place = match text(&letter["change_id"]).as_str() {
            "b-word" => "`employer`",
            "b-quote" => "character 48",
            _ => "a comma too many",
        };
        assert!(cause.contains(place), "{cause}");
    }
    relay.run(&["sync", "--wait"]).await;
    assert_eq!(
        relay.dead().await,
        letters,
        "the same rows are the same letters"
    );
    relay.run(&["dead", "replay", "--all"]).await;
    assert_eq!(relay.dead_ids().await.len(), 3, "they are what they were");

    let cut = Feed::start(br#"[{"changeId":1},{"changeId":2,"employer":"6" pipe}]"#.to_vec()).await;
    let relay = relay.set("alumniq.url", &cut.url);
    let failed = relay.run(&["sync", "--wait"]).await.expect(1);
    assert!(
        failed.said().contains("row 2 of AlumnIQ's answer"),
        "{}",
        failed.stderr
    );
}
