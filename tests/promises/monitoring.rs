//! What is shipped in `deploy/prometheus`, held against the code and against a real Prometheus.

use crate::harness::{
    prometheus::Prometheus, redis::Redis, relay::Relay, vendors::vendors, waiting::until,
};

const EVERYTHING: &str = "producer,crm,salsa,acknowledger,console";

#[tokio::test]
async fn every_rule_is_evaluated_without_an_error_on_a_real_fleet() {
    let sandbox = vendors(200, 80).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let fleet = [relay.start(EVERYTHING).await, relay.start(EVERYTHING).await];
    let prometheus = Prometheus::start(&[&fleet[0], &fleet[1]]).await;
    let rules = until("every rule was evaluated", async || {
        let rules = prometheus.rules().await;
        let evaluated = |rule: &serde_json::Value| rule["health"] != "unknown";
        (!rules.is_empty() && rules.iter().all(evaluated)).then_some(rules)
    })
    .await;
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule:#}");
        assert!(rule.get("lastError").is_none(), "{rule:#}");
    }
    for service in fleet {
        service.stop().await;
    }
}
