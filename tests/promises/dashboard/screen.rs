//! The first screen says what is so: one fleet's evening, from "everything is through" to a fleet that is gone.

use harness::{
    prometheus::{Prometheus, Sample},
    redis::Redis,
    relay::Relay,
    vendors::{down, vendors},
    waiting::until_true,
};
use sandbox::{Fault, Faults, NewChanges, VendorFaults};
use serde_json::{Value, json};

use super::{asking::Choice, dashboard, panel, targets};

const NAMESPACE: &str = "north.campus";

struct Screen {
    dashboard: Value,
    prometheus: Prometheus,
}

impl Screen {
    async fn ask(&self, title: &str) -> Vec<Sample> {
        let choice = Choice {
            namespaces: vec![NAMESPACE.to_owned()],
            instances: Vec::new(),
        };
        let expression = targets(panel(&self.dashboard, title))[0]["expr"]
            .as_str()
            .unwrap();
        self.prometheus.query(&choice.fill(expression, "")).await
    }

    /// The words of the big box, and those below them.
    async fn verdict(&self) -> Option<(String, String)> {
        let title = "Is everything through?";
        let boxes = self.ask(title).await;
        assert!(boxes.len() <= 1, "{boxes:?}");
        let one = boxes.into_iter().next()?;
        let words =
            &panel(&self.dashboard, title)["fieldConfig"]["defaults"]["mappings"][0]["options"];
        let words = words[one.value.to_string()]["text"].as_str().unwrap();
        Some((words.to_owned(), one.labels["detail"].clone()))
    }

    async fn says(&self, words: &str, detail: &str) {
        until_true(&format!("it says {words}, {detail}"), async || {
            let verdict = self.verdict().await;
            verdict.is_some_and(|verdict| verdict == (words.to_owned(), detail.to_owned()))
        })
        .await;
    }

    /// Where it sticks and what is wrong there.
    async fn stuck(&self) -> Vec<(String, String)> {
        let rows = self
            .ask("Where does it stick, since when, whose is it?")
            .await;
        let rows = rows.into_iter().map(|row| {
            let label = |name: &str| row.labels[name].clone();
            assert_eq!(label("whose"), label("what"), "{row:?}");
            (label("where"), label("what"))
        });
        rows.collect()
    }

    async fn sticks_at(&self, place: &str, what: &str) {
        let wanted = [(place.to_owned(), what.to_owned())];
        until_true(&format!("it sticks at {place}: {what}"), async || {
            self.stuck().await == wanted
        })
        .await;
    }
}

fn more(count: usize) -> NewChanges {
    NewChanges {
        count,
        ..NewChanges::default()
    }
}

#[tokio::test]
async fn the_first_screen_says_whether_everything_is_through_and_where_it_sticks() {
    let sandbox = vendors(40, 20).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("namespace", NAMESPACE)
        .set("alumniq.poll", "every 10s");
    let rest = relay.start("producer,salsa,acknowledger").await;
    let crm = relay.start("crm").await;
    let screen = Screen {
        dashboard: dashboard(),
        prometheus: Prometheus::start(&[&rest, &crm]).await,
    };
    // Told by two processes, counted once.
    screen
        .says("Everything is through", "40 acknowledged")
        .await;
    assert_eq!(screen.stuck().await, []);

    let before = jiff::Timestamp::now().as_millisecond() as f64;
    relay.run(&["pause", "crm"]).await.expect(0);
    screen.says("Stopped", "crm held: operator").await;
    screen.sticks_at("crm", "operator").await;
    let since = screen
        .ask("Where does it stick, since when, whose is it?")
        .await[0]
        .value;
    let now = jiff::Timestamp::now().as_millisecond() as f64;
    assert!(
        (before - 1_000.0..=now).contains(&since),
        "{before} {since} {now}"
    );

    crm.stop().await;
    relay.run(&["resume", "crm"]).await.expect(0);
    sandbox.add_changes(&more(5));
    relay.run(&["sync"]).await.expect(0);
    screen.says("Stopped", "nobody runs crm").await;
    screen.sticks_at("crm", "roleunmanned").await;

    sandbox.set_faults(Faults {
        crm: VendorFaults {
            latency_ms: 15_000,
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let crm = relay.start("crm").await;
    screen.says("On the way", "5 on the way").await;
    assert_eq!(screen.stuck().await, []);
    sandbox.set_faults(Faults::default());
    screen
        .says("Everything is through", "45 acknowledged")
        .await;

    sandbox.add_changes(&NewChanges {
        rows: vec![json!({ "changeId": 900_000, "xid": "" })],
        ..NewChanges::default()
    });
    relay.run(&["sync"]).await.expect(0);
    screen.says("Needs a person", "1 dead letters").await;
    assert_eq!(screen.stuck().await, [], "a dead letter holds nobody up");
    let dead = screen.ask("Needs a person, by class").await;
    assert!(
        dead.iter()
            .all(|row| row.labels["remedy"] == "anonymous" && row.value == 1.0),
        "{dead:?}"
    );

    sandbox.set_faults(Faults {
        alumniq: down(Fault::Unavailable),
        ..Faults::default()
    });
    screen.says("Stopped", "the last fetch failed").await;
    screen.sticks_at("feed", "fetchfailing").await;
    sandbox.set_faults(Faults::default());
    screen.says("Needs a person", "1 dead letters").await;

    redis.signal("STOP");
    screen.says("Stopped", "Redis does not answer").await;
    screen.sticks_at("redis", "redisdown").await;
    redis.signal("CONT");
    screen.says("Needs a person", "1 dead letters").await;

    crm.kill9().await;
    rest.kill9().await;
    screen.says("Stopped", "no process is seen").await;
    screen.sticks_at("fleet", "fleetgone").await;
}
