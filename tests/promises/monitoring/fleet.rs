//! A real Prometheus with the shipped rules, a real fleet, and vendors that break.

use std::collections::BTreeMap;

use harness::{
    prometheus::Prometheus,
    redis::Redis,
    relay::{Relay, text},
    service::Service,
    vendors::{acknowledged, down, every_promise_held, vendors},
    waiting::{until, until_true},
};
use sandbox::{Fault, Faults, Sandbox};
use serde_json::{Value, json};

const EVERYTHING: &str = "producer,crm,salsa,acknowledger,console";
const CHANGES: usize = 200;

/// The names of what fires, each with its labels but for the name and the namespace.
async fn firing(prometheus: &Prometheus) -> BTreeMap<String, Vec<BTreeMap<String, String>>> {
    let mut firing: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for alert in prometheus.alerts().await {
        if alert["state"] == "firing" {
            let labels = alert["labels"].as_object().unwrap();
            let name = text(&labels["alertname"]);
            let rest = labels
                .iter()
                .filter(|(name, _)| !["alertname", "namespace"].contains(&name.as_str()));
            let rest = rest.map(|(name, value)| (name.clone(), text(value)));
            firing.entry(name).or_default().push(rest.collect());
        }
    }
    firing
}

async fn fires(prometheus: &Prometheus, name: &str) -> Value {
    let what = format!("{name} fires");
    until(&what, async || prometheus.firing(name).await.pop()).await
}

async fn is_over(prometheus: &Prometheus, name: &str) {
    let what = format!("{name} is over");
    until_true(&what, async || {
        let alerts = prometheus.alerts().await;
        !alerts
            .iter()
            .any(|alert| alert["labels"]["alertname"] == name)
    })
    .await;
}

/// Every rule was evaluated, and none had an error.
async fn every_rule_is_healthy(prometheus: &Prometheus) {
    let rules = until("every rule was evaluated", async || {
        let rules = prometheus.rules().await;
        let evaluated = |rule: &Value| rule["health"] != "unknown";
        (!rules.is_empty() && rules.iter().all(evaluated)).then_some(rules)
    })
    .await;
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule:#}");
        assert!(rule.get("lastError").is_none(), "{rule:#}");
    }
}

/// Every rule that records something has recorded something, but for the ones that had no occasion.
async fn every_recording_has_data(prometheus: &Prometheus, without: &[&str]) {
    for rule in prometheus.rules().await {
        if rule["type"] == "recording" {
            let name = text(&rule["name"]);
            let data = prometheus
                .query(&format!("last_over_time({name}[1h])"))
                .await;
            assert_eq!(data.is_empty(), without.contains(&&*name), "{name}");
            for sample in data {
                assert_eq!(sample.labels["namespace"], "sandbox", "{name}");
            }
        }
    }
}

/// Three processes that admit nobody without the token, and a Prometheus that has it.
async fn watched_fleet(sandbox: &Sandbox, redis: &Redis) -> (Relay, Vec<Service>, Prometheus) {
    const TOKEN: &str = "just-looking-around-here";
    let relay = Relay::new(sandbox, Some(redis)).set("console.viewer_token", TOKEN);
    let mut fleet = Vec::new();
    for roles in [EVERYTHING, "producer,acknowledger", "crm,salsa"] {
        fleet.push(relay.start(roles).await);
    }
    let file = relay.path("viewer-token");
    std::fs::write(&file, TOKEN).unwrap();
    let job = json!({ "authorization": { "credentials_file": file } });
    let targets: Vec<&Service> = fleet.iter().collect();
    let prometheus = Prometheus::start_with(&targets, &job).await;
    (relay, fleet, prometheus)
}

#[tokio::test]
async fn a_vendor_that_breaks_is_told_with_the_runbook_of_this_version_and_it_ends_with_the_repair()
{
    let sandbox = vendors(CHANGES, 80).await;
    let redis = Redis::start().await;
    sandbox.set_faults(Faults {
        crm: down(Fault::Unavailable),
        ..Faults::default()
    });
    let (_relay, fleet, prometheus) = watched_fleet(&sandbox, &redis).await;

    let alert = fires(&prometheus, "AlumniqRelayDestinationPaused").await;
    let labels = json!({
        "alertname": "AlumniqRelayDestinationPaused", "namespace": "sandbox", "destination": "crm",
        "reason": "outage", "severity": "page",
    });
    assert_eq!(alert["labels"], labels);
    let annotation = |name: &str| text(&alert["annotations"][name]);
    let summary = annotation("summary");
    assert!(
        summary.starts_with("sandbox: crm is down, held for "),
        "{summary}"
    );
    assert!(annotation("description").starts_with("crm cannot be reached"));
    assert!(annotation("action").starts_with("Run `alumniq-relay status`"));
    let alone = firing(&prometheus).await;
    assert_eq!(alone.len(), 1, "{alone:#?}");
    assert_eq!(
        alone["AlumniqRelayDestinationPaused"].len(),
        1,
        "{alone:#?}"
    );

    // The link leads to a process of this fleet, and there to the alert's section.
    let (page, section) = annotation("runbook_url")
        .split_once('#')
        .map(|(page, section)| (page.to_owned(), section.to_owned()))
        .unwrap();
    assert_eq!(page, format!("http://{}/runbook", fleet[0].address()));
    let (status, runbook) = fleet[0].get("/runbook").await;
    assert_eq!(status, 200);
    assert!(
        runbook.contains(&format!("id=\"{section}\"")),
        "no {section} in {runbook}"
    );

    sandbox.set_faults(Faults::default());
    is_over(&prometheus, "AlumniqRelayDestinationPaused").await;
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    until_true("the objective is measured", async || {
        // It was while changes were acknowledged, which may be over by now: a rate of nothing is none.
        let late = "max_over_time(namespace:alumniq_relay_end_to_end_late:ratio_rate5m[1h]) == 0";
        !prometheus.query(late).await.is_empty()
    })
    .await;
    assert_eq!(firing(&prometheus).await, BTreeMap::new());
    every_rule_is_healthy(&prometheus).await;
    let no_occasion = [
        "namespace:alumniq_relay_metrics_files:count", // cron's
        "namespace_field:alumniq_relay_unmapped_fields:sum",
    ];
    every_recording_has_data(&prometheus, &no_occasion).await;
    for service in fleet {
        service.stop().await;
    }
}

#[tokio::test]
async fn a_feed_that_was_never_fetched_is_told_and_while_redis_is_silent_that_alone() {
    let sandbox = vendors(10, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).with_variable("ALUMNIQ_API_KEY", "not-the-key");
    let service = relay.start(EVERYTHING).await;
    let prometheus = Prometheus::start(&[&service]).await;
    for (name, summary) in [
        (
            "AlumniqRelayFetchFailing",
            "sandbox: fetching from AlumnIQ fails; it never succeeded",
        ),
        (
            "AlumniqRelayFetchOverdue",
            "sandbox: AlumnIQ's feed was never fetched in full",
        ),
    ] {
        let alert = fires(&prometheus, name).await;
        assert_eq!(alert["annotations"]["summary"], summary);
    }
    redis.signal("STOP");
    let alert = fires(&prometheus, "AlumniqRelayRedisDown").await;
    assert_eq!(
        alert["annotations"]["summary"],
        "sandbox: Redis answers none of 1 processes"
    );
    is_over(&prometheus, "AlumniqRelayFetchOverdue").await;
    let alone = firing(&prometheus).await;
    assert_eq!(alone.len(), 1, "{alone:#?}");
    redis.signal("CONT");
    is_over(&prometheus, "AlumniqRelayRedisDown").await;
    fires(&prometheus, "AlumniqRelayFetchOverdue").await;
    service.stop().await;
}
