//! Nothing that is shown holds personal data or a secret, whatever fails and however much is logged.

use std::collections::BTreeSet;

use harness::{
    collector::Collector,
    redis::Redis,
    relay::{Relay, text},
    vendors::vendors_with,
    waiting::until_true,
};
use sandbox::{
    Faults, SANDBOX_API_KEY, SANDBOX_PASSWORD, SANDBOX_TOKEN, SANDBOX_USERNAME, SandboxOptions,
};
use serde_json::Value;

/// Fields of a row that are nobody's data: ids, times, and constants.
const IMPERSONAL: [&str; 4] = ["changeId", "xid", "changedOn", "source"];

/// What only the collector may be told, in a header.
const COLLECTOR_KEY: &str = "a-key-for-the-collector-alone";

/// Shorter values stand in any text by chance.
const TELLING: usize = 7;

#[tokio::test]
async fn no_log_metric_trace_or_answer_quotes_a_row_or_a_secret() {
    const CHANGES: usize = 300;
    let sandbox = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: 120,
        anonymous: 5,
        missing_in_crm: 5,
        missing_in_salsa: 5,
        invalid_fields: 5,
        invalid_phones: 5,
        undecodable: 4,
        faults: Faults::demo(),
        ..SandboxOptions::default()
    })
    .await;
    let mut private: BTreeSet<String> = BTreeSet::new();
    for id in sandbox.report().unacknowledged {
        let row = sandbox.change(&id).unwrap().row;
        let fields = row.as_object().unwrap().iter();
        let personal = fields.filter(|(key, _)| !IMPERSONAL.contains(&key.as_str()));
        private.extend(
            personal
                .filter_map(|(_, value)| value.as_str())
                .map(str::to_owned),
        );
    }
    private.retain(|value| value.chars().count() >= TELLING);
    assert!(private.len() > CHANGES, "{}", private.len());
    let secrets = [
        SANDBOX_API_KEY,
        SANDBOX_PASSWORD,
        SANDBOX_TOKEN,
        SANDBOX_USERNAME,
        COLLECTOR_KEY,
    ];

    let redis = Redis::start().await;
    let collector = Collector::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("crm.timeout", "3s")
        .set("telemetry.otlp_url", &collector.url())
        .set(
            "telemetry.otlp_headers",
            &format!("authorization=Bearer {COLLECTOR_KEY}"),
        );
    let roles = "producer,crm,salsa,acknowledger,console";
    let arguments = ["-vv", "--log-format", "json", "run", "--roles", roles];
    let service = relay.start_with(&arguments).await;
    until_true("every change is through or dead", async || {
        let books = &relay.status().await["books"];
        books["fetched"] == CHANGES && books["in_flight"] == 0
    })
    .await;

    let letters = relay.dead().await;
    let mut shown = vec![
        ("the log", service.log()),
        ("/metrics", service.get("/metrics").await.1),
        ("/readyz", service.get("/readyz").await.1),
        ("dead list", Value::from(letters.clone()).to_string()),
    ];
    for arguments in [
        &["status"][..],
        &["dead", "list"],
        &["config", "print"],
        &["-vv", "status"],
    ] {
        let ended = relay.run(arguments).await.expect(0);
        shown.push(("a command", ended.stdout + ended.stderr.as_str()));
    }
    for class in ["undecodable", "anonymous", "validation", "unmatched"] {
        let letter = letters
            .iter()
            .find(|letter| letter["class"] == class)
            .unwrap();
        let id = text(&letter["change_id"]);
        shown.push(("show", relay.show(&id).await.to_string()));
        shown.push((
            "dead show",
            relay.run(&["dead", "show", &id]).await.expect(0).stdout,
        ));
    }
    assert!(
        !service.log().contains("CrmNumber"),
        "the log names a person's record"
    );
    service.stop().await;
    assert!(collector.roots() > CHANGES / 2, "{}", collector.roots());
    shown.push(("a trace", collector.received()));
    assert!(!shown[shown.len() - 1].1.contains("CrmNumber"));

    for (where_, text) in &shown {
        for secret in secrets {
            assert!(!text.contains(secret), "{where_} holds the secret {secret}");
        }
        for value in &private {
            let escaped = Value::from(value.as_str()).to_string();
            let escaped = escaped.trim_matches('"');
            let line = text
                .lines()
                .find(|line| line.contains(value) || line.contains(escaped));
            assert!(line.is_none(), "{where_} quotes {value:?}: {line:?}");
        }
    }
}
