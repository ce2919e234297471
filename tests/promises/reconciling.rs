//! `reconcile` finds each way in which the books and AlumnIQ's feed can differ, and nothing else.

use harness::{
    redis::Redis,
    relay::{Ended, Relay},
    vendors::{every_promise_held, vendors},
    waiting::{until, until_true},
};
use sandbox::{Limits, Marked, NewChanges, Sandbox};
use serde_json::Value;

const CHANGES: usize = 150;

struct Campus {
    sandbox: Sandbox,
    redis: Redis,
    relay: Relay,
}

impl Campus {
    async fn new() -> Self {
        let sandbox = vendors(CHANGES, 50).await;
        let redis = Redis::start().await;
        let relay = Relay::new(&sandbox, Some(&redis));
        Self {
            sandbox,
            redis,
            relay,
        }
    }

    /// Everything fetched, applied and acknowledged.
    async fn at_rest() -> Self {
        let campus = Self::new().await;
        campus.relay.run(&["sync", "--wait"]).await.expect(0);
        campus
    }

    async fn reconcile(&self, code: i32) -> Value {
        self.relay
            .run(&["reconcile", "--json"])
            .await
            .expect(code)
            .json()
    }

    async fn fix(&self, code: i32) -> Value {
        let arguments = ["reconcile", "--fix", "--json"];
        self.relay.run(&arguments).await.expect(code).json()
    }

    async fn said(&self) -> Ended {
        self.relay.run(&["reconcile"]).await
    }

    fn mark(&self, change_ids: &[String], processed: bool) {
        self.sandbox.mark(&Marked {
            change_ids: change_ids.to_vec(),
            processed,
        });
    }
}

/// Counts by kind: unknown, acknowledged but listed, applied, open but not listed.
fn counts(report: &Value) -> [u64; 4] {
    [
        "unknown_here",
        "acknowledged_but_listed",
        "applied_not_acknowledged",
        "open_but_not_listed",
    ]
    .map(|kind| report[kind]["count"].as_u64().unwrap())
}

fn sorted(ids: &Value) -> Vec<String> {
    let mut ids: Vec<String> = serde_json::from_value(ids.clone()).unwrap();
    ids.sort();
    ids
}

#[tokio::test]
async fn what_is_at_rest_agrees_and_the_report_has_its_keys() {
    let campus = Campus::at_rest().await;
    let report = campus.reconcile(0).await;
    assert_eq!(counts(&report), [0; 4], "{report}");
    assert_eq!(report["agrees"], true);
    assert_eq!(report["feed"]["rows"], 0);
    assert_eq!(report["books"]["acknowledged"], CHANGES);
    for key in ["from", "to"] {
        assert_eq!(report["range"][key].as_str().unwrap().len(), 10);
    }
    for key in ["enqueued", "acknowledged_again", "told_again"] {
        assert_eq!(report["fixed"][key], 0);
    }
    let said = campus.said().await.expect(0);
    assert!(said.stdout.contains("agree."), "{}", said.stdout);
}

#[tokio::test]
async fn an_emptied_redis_is_found_and_filled_again() {
    let campus = Campus::new().await;
    campus.relay.run(&["sync"]).await.expect(0);
    campus.redis.command("FLUSHALL").await;
    let report = campus.reconcile(3).await;
    assert_eq!(counts(&report), [CHANGES as u64, 0, 0, 0]);
    let named = report["unknown_here"]["change_ids"].as_array().unwrap();
    assert_eq!(named.len(), 100, "ids are capped, counts are not");

    let fixed = campus.fix(0).await;
    assert_eq!(fixed["fixed"]["enqueued"], CHANGES);
    assert_eq!(fixed["agrees"], true);
    let again = campus.reconcile(0).await;
    assert_eq!(counts(&again), [0; 4], "{again}");
    assert_eq!(again["feed"]["rows"], CHANGES);
    campus.relay.run(&["sync", "--wait"]).await.expect(0);
    every_promise_held(&campus.sandbox.report(), &[], &[]);
}

#[tokio::test]
async fn a_put_that_alumniq_forgot_is_found_and_told_again() {
    let campus = Campus::at_rest().await;
    let forgotten: Vec<String> = campus.ids().into_iter().take(3).collect();
    campus.mark(&forgotten, false);
    let report = campus.reconcile(3).await;
    assert_eq!(counts(&report), [0, 3, 0, 0], "{report}");
    let named = sorted(&report["acknowledged_but_listed"]["change_ids"]);
    assert_eq!(named, forgotten);

    let fixed = campus.fix(0).await;
    assert_eq!(fixed["fixed"]["acknowledged_again"], 3);
    campus.relay.run(&["sync", "--wait"]).await.expect(0);
    let report = campus.reconcile(0).await;
    assert_eq!(counts(&report), [0; 4], "{report}");
    assert_eq!(report["feed"]["rows"], 0, "AlumnIQ was not told again");
    assert_eq!(campus.sandbox.report().repeats, [], "applied twice");
}

#[tokio::test]
async fn what_somebody_marked_is_told_and_left_alone() {
    let campus = Campus::new().await;
    campus.relay.run(&["sync"]).await.expect(0);
    let marked: Vec<String> = campus.ids().into_iter().take(4).collect();
    campus.mark(&marked, true);
    let report = campus.reconcile(3).await;
    assert_eq!(counts(&report), [0, 0, 0, 4], "{report}");
    assert_eq!(sorted(&report["open_but_not_listed"]["change_ids"]), marked);

    let before = campus.relay.status().await["books"].clone();
    let fixed = campus.fix(3).await;
    assert_eq!(fixed["open_but_not_listed"]["count"], 4);
    assert_eq!(campus.relay.status().await["books"], before);
    let said = campus.said().await.expect(3);
    assert!(
        said.said().contains("somebody marked them"),
        "{}",
        said.stdout
    );
}

#[tokio::test]
async fn what_was_discarded_untold_is_told_and_stays_so() {
    let campus = Campus::at_rest().await;
    let stranger = NewChanges {
        count: 1,
        xid: Some("nobody-knows-me".to_owned()),
        ..NewChanges::default()
    };
    let dead = campus.sandbox.add_changes(&stranger);
    campus.relay.run(&["sync", "--wait"]).await.expect(3);
    let discard = [
        "dead",
        "discard",
        "--all",
        "--reason",
        "test",
        "--keep-unacknowledged",
    ];
    campus.relay.run(&discard).await.expect(0);
    let report = campus.reconcile(3).await;
    assert_eq!(counts(&report), [0, 0, 1, 0], "{report}");
    let applied = &report["applied_not_acknowledged"];
    assert_eq!(applied["discarded_untold"], 1);
    assert_eq!(sorted(&applied["change_ids"]), dead);
    let fixed = campus.fix(0).await;
    assert_eq!(fixed["applied_not_acknowledged"]["discarded_untold"], 1);
    assert_eq!(campus.sandbox.change(&dead[0]).unwrap().acknowledged, None);
}

#[tokio::test]
async fn what_waits_for_an_acknowledger_is_told_with_the_reason() {
    let campus = Campus::new().await;
    let service = campus.relay.start("producer,crm,salsa").await;
    until_true("everything is applied", async || {
        campus.relay.status().await["to_acknowledge"] == CHANGES
    })
    .await;
    service.stop().await;
    assert_eq!(
        counts(&campus.reconcile(0).await),
        [0; 4],
        "they wait for a moment"
    );

    let mut connection = campus.redis.connect().await;
    let line = "{sandbox}:ack";
    let places: Vec<String> = redis::cmd("ZRANGE")
        .arg(line)
        .arg(0)
        .arg(-1)
        .query_async(&mut connection)
        .await
        .unwrap();
    let mut age = redis::cmd("ZADD");
    age.arg(line);
    for (place, id) in places.iter().enumerate() {
        age.arg(place + 1).arg(id);
    }
    let _: i64 = age.query_async(&mut connection).await.unwrap();
    let report = campus.reconcile(3).await;
    assert_eq!(counts(&report), [0, 0, CHANGES as u64, 0]);
    let said = campus.said().await.expect(3);
    assert!(
        said.said().contains("no process tells AlumnIQ"),
        "{}",
        said.stdout
    );
    campus.relay.run(&["pause", "alumniq"]).await.expect(0);
    let said = campus.said().await.expect(3);
    assert!(said.said().contains("resume alumniq"), "{}", said.stdout);
    campus.fix(3).await;
}

#[tokio::test]
async fn what_alumniq_refused_and_still_lists_is_told_again() {
    let campus = Campus::new().await;
    let refused = campus.ids().remove(0);
    campus.sandbox.set_limits(Limits {
        poison_ack_ids: [refused.clone()].into_iter().collect(),
        ..campus.sandbox.limits()
    });
    campus.relay.run(&["sync", "--wait"]).await.expect(3);
    let report = campus.reconcile(3).await;
    assert_eq!(
        report["applied_not_acknowledged"]["ack_rejected"], 1,
        "{report}"
    );
    assert_eq!(counts(&report), [0, 0, 1, 0]);
    campus.sandbox.set_limits(Limits {
        poison_ack_ids: Default::default(),
        ..campus.sandbox.limits()
    });
    let fixed = campus.fix(0).await;
    assert_eq!(fixed["fixed"]["told_again"], 1, "{fixed}");
    campus.relay.run(&["sync", "--wait"]).await.expect(0);
    assert_eq!(counts(&campus.reconcile(0).await), [0; 4]);
    every_promise_held(&campus.sandbox.report(), &[], &[]);
}

#[tokio::test]
async fn a_running_fleet_makes_no_difference() {
    let campus = Campus::new().await;
    let relay = Relay::new(&campus.sandbox, Some(&campus.redis)).set("alumniq.poll", "every 10s");
    let first = relay.start("producer,crm,salsa,acknowledger").await;
    let second = relay.start("producer,crm,salsa,acknowledger").await;
    until_true("the first poll has ended", async || {
        relay.status().await["producer"]["last_success"].is_string()
    })
    .await;
    for _ in 0..8 {
        campus.sandbox.add_changes(&NewChanges {
            count: 40,
            ..NewChanges::default()
        });
        let report = relay.run(&["reconcile", "--json"]).await.expect(0).json();
        assert_eq!(counts(&report), [0; 4], "{report}");
    }
    first.stop().await;
    second.stop().await;
}

impl Campus {
    /// Every change of the feed, in order.
    fn ids(&self) -> Vec<String> {
        let report = self.sandbox.report();
        let round = 10_u64.pow(4);
        let first = round - CHANGES as u64 / 2;
        let ids = (0..report.changes as u64).map(|place| (first + place).to_string());
        let mut ids: Vec<String> = ids.filter(|id| self.sandbox.change(id).is_some()).collect();
        ids.sort();
        ids
    }
}

#[tokio::test]
async fn a_queue_that_contradicts_itself_is_found_although_the_books_balance_and_is_repaired() {
    let campus = Campus::at_rest().await;
    for (counter, by) in [("in_flight", -3), ("acknowledged", 3)] {
        let words = format!("HINCRBY {{sandbox}}:counters {counter} {by}");
        campus.redis.command(&words).await;
    }
    let report = campus.reconcile(3).await;
    assert_eq!(report["books"]["difference"], 0, "{report}");
    assert_eq!(report["defects"]["found"]["books"], 1, "{report}");
    assert_eq!(report["agrees"], false);
    let said = campus.said().await.expect(3).stdout;
    assert!(said.contains("contradict"), "{said}");
    let status = campus.relay.run(&["status"]).await.expect(0).stdout;
    assert!(status.contains("-3 changes in flight"), "{status}");
    assert!(status.contains("A COUNT IS NEGATIVE"), "{status}");

    let fixed = campus.fix(0).await;
    assert_eq!(fixed["defects"]["left"], 0, "{fixed}");
    assert_eq!(fixed["books"]["in_flight"], 0);
    let report = campus.reconcile(0).await;
    assert_eq!(report["defects"]["found"], serde_json::json!({}));
}

#[tokio::test]
async fn the_leader_finds_what_contradicts_repairs_it_and_says_so() {
    let campus = Campus::new().await;
    campus.relay.run(&["sync"]).await.expect(0);
    campus.redis.command("DEL {sandbox}:ready:crm").await;
    let service = campus.relay.start("producer,console").await;
    let checked = until("the leader has checked", async || {
        let status = campus.relay.status().await;
        status["last_check"].is_object().then_some(status)
    })
    .await;
    let found = &checked["last_check"]["found"]["lane"];
    assert!(found.as_u64().is_some_and(|found| found > 0), "{checked}");
    assert_eq!(checked["last_check"]["left"], 0, "{checked}");
    assert!(checked["destinations"]["crm"]["ready"].as_i64() > Some(0));
    let (_, metrics) = service.get("/metrics").await;
    let is_counted = |line: &&str| {
        line.starts_with("alumniq_relay_queue_defects_total{") && line.contains(r#"kind="lane""#)
    };
    let line = metrics.lines().find(is_counted);
    assert!(line.is_some_and(|line| !line.ends_with(" 0")), "{metrics}");
    service.stop().await;
    campus.relay.run(&["sync", "--wait"]).await.expect(0);
    every_promise_held(&campus.sandbox.report(), &[], &[]);
}
