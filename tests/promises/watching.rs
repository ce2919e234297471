//! What a process shows to those who watch it: metrics, probes, and whom it talks to.

use std::collections::BTreeMap;

use alumniq_relay::sandbox::{Report, Vendor};

use crate::harness::{
    redis::Redis,
    relay::Relay,
    sockets::remote_ends,
    vendors::{acknowledged, vendors},
    waiting::{until, until_true},
};

const EVERYTHING: &str = "producer,crm,salsa,acknowledger,console";

/// Samples of the exposition: `name{labels}` without the prefix and the namespace, and the value.
fn samples(exposition: &str) -> BTreeMap<String, f64> {
    let lines = exposition.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            let name = name.replacen(r#"namespace="sandbox""#, "", 1);
            let name = name.replace("{,", "{").replace("{}", "");
            Some((
                name.strip_prefix("alumniq_relay_")?.to_owned(),
                value.parse().ok()?,
            ))
        })
        .collect()
}

/// The vendors' calls as the sandbox counted them, under the metric's name.
fn calls(report: &Report) -> BTreeMap<String, f64> {
    let mut calls = BTreeMap::new();
    for (vendor, operations) in &report.traffic.calls {
        let vendor = match vendor {
            Vendor::Alumniq => "alumniq",
            Vendor::Crm => "crm",
            Vendor::Salsa => "salsa",
        };
        for (operation, statuses) in operations {
            for (status, count) in statuses {
                let labels =
                    format!(r#"vendor="{vendor}",operation="{operation}",status="{status}""#);
                calls.insert(format!("vendor_requests_total{{{labels}}}"), *count as f64);
            }
        }
    }
    calls
}

#[tokio::test]
async fn the_metrics_of_a_process_count_what_the_vendors_saw() {
    const CHANGES: usize = 200;
    let sandbox = vendors(CHANGES, 80).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.start(EVERYTHING).await;
    acknowledged(&sandbox, CHANGES).await;
    let expected = CHANGES as f64;
    let samples = until("every change is counted", async || {
        let samples = samples(&service.get("/metrics").await.1);
        // The queue is read every few seconds: what it said before the fetch is not looked at.
        let read = samples.get(r#"books{entry="acknowledged"}"#) == Some(&expected);
        let counted = samples.get("changes_acknowledged_total") == Some(&expected);
        (read && counted).then_some(samples)
    })
    .await;
    for counter in [
        "changes_fetched_total",
        "changes_enqueued_total",
        r#"jobs_total{destination="crm",outcome="done"}"#,
        r#"jobs_total{destination="salsa",outcome="done"}"#,
        "end_to_end_seconds_count",
        "ack_batch_size_sum",
        "salsa_batch_size_sum",
    ] {
        assert_eq!(
            samples.get(counter),
            Some(&expected),
            "{counter}: {samples:#?}"
        );
    }
    let counted: BTreeMap<String, f64> = samples
        .iter()
        .filter(|(name, _)| name.starts_with("vendor_requests_total"))
        .map(|(name, value)| (name.clone(), *value))
        .collect();
    assert_eq!(counted, calls(&sandbox.report()));
    assert_eq!(samples["redis_up"], 1.0);
    assert_eq!(samples["books_difference"], 0.0);
    assert_eq!(samples["alumniq_api_key_days_remaining"], 200.0);
    service.stop().await;
}

#[tokio::test]
async fn a_process_is_not_ready_while_redis_is_silent_and_ready_again_after() {
    let sandbox = vendors(10, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.start(EVERYTHING).await;
    let becomes = async |status: u16| {
        let what = format!("/readyz answers {status}");
        until_true(&what, async || service.get("/readyz").await.0 == status).await;
        assert_eq!(service.get("/healthz").await.0, 200, "alive all the time");
    };
    becomes(200).await;
    redis.signal("STOP");
    becomes(503).await;
    redis.signal("CONT");
    becomes(200).await;
    service.stop().await;
}

#[tokio::test]
async fn a_process_talks_to_the_configured_vendors_and_to_nobody_else() {
    const CHANGES: usize = 300;
    let sandbox = vendors(CHANGES, 100).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.start(EVERYTHING).await;
    let mut seen = 0;
    until_true("every change is acknowledged", async || {
        for remote in remote_ends(service.pid()) {
            assert_eq!(remote, sandbox.addr());
            seen += 1;
        }
        sandbox.report().acknowledged == CHANGES
    })
    .await;
    assert!(seen > 0, "no connection was seen at all");
    service.stop().await;
}
