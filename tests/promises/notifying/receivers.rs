//! Receivers and tellers that are away, die, refuse, or must not be shown.

use harness::{
    redis::Redis,
    relay::Relay,
    service::Service,
    vendors::{acknowledged, vendors, vendors_with},
    waiting::until_true,
};
use sandbox::{SANDBOX_WEBHOOK_SECRET, Sandbox, SandboxOptions, WebhookMood};
use serde_json::Value;

use super::{EVERYTHING, IDLE, TOKEN, arrivals, events, taken, telling, told};

/// A process that tells of a pause, and waits for an answer.
async fn telling_a_slow_receiver(sandbox: &Sandbox, relay: &Relay) -> Service {
    sandbox.set_webhook(WebhookMood {
        seconds: 3600.0,
        ..WebhookMood::default()
    });
    let service = relay.start(IDLE).await;
    relay.run(&["pause", "salsa"]).await.expect(0);
    until_true("it has begun to tell", async || {
        !sandbox.notifications().is_empty()
    })
    .await;
    service
}

#[tokio::test]
async fn what_a_killed_process_was_telling_another_tells_under_the_same_id() {
    let sandbox = vendors(1, 1).await;
    let redis = Redis::start().await;
    let relay = telling(&sandbox, &redis);
    let first = telling_a_slow_receiver(&sandbox, &relay).await;
    first.kill9().await;
    // It is over by now, but the receiver may have heard of it.
    relay.run(&["resume", "salsa"]).await.expect(0);
    let before = sandbox.notifications().len();
    sandbox.set_webhook(WebhookMood::default());
    let second = relay.start(IDLE).await;
    told(&sandbox, "destination_resumed salsa").await;
    let arrived = sandbox.notifications();
    assert_eq!(
        arrived[before].headers["webhook-id"],
        arrived[0].headers["webhook-id"]
    );
    assert_eq!(arrived[before].body, arrived[0].body);
    assert_eq!(arrivals(&sandbox).len(), 2, "one pause and one end of it");
    second.stop().await;
}

#[tokio::test]
async fn nothing_waits_for_a_webhook_that_is_away_and_it_is_told_when_it_is_back() {
    const CHANGES: usize = 60;
    let sandbox = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: 30,
        anonymous: 3,
        ..SandboxOptions::default()
    })
    .await;
    sandbox.set_webhook(WebhookMood {
        status: 503,
        retry_after: None,
        seconds: 1.0,
    });
    let redis = Redis::start().await;
    let relay = telling(&sandbox, &redis);
    let arguments = ["-vv", "--log-format", "json", "run", "--roles", EVERYTHING];
    let service = relay.start_with(&arguments).await;
    until_true("it was tried in vain", async || {
        sandbox.notifications().len() >= 2
    })
    .await;
    acknowledged(&sandbox, CHANGES - 3).await;
    assert!(taken(&sandbox).is_empty());
    until_true("the process is ready", async || {
        service.get("/readyz").await.0 == 200
    })
    .await;
    sandbox.set_webhook(WebhookMood::default());
    for destination in ["crm", "salsa"] {
        told(&sandbox, &format!("dead_letters_appeared {destination}")).await;
    }
    let metrics = until_counted(&service).await;
    assert!(value(&metrics, "dead_letters_appeared", "failed") >= 2.0);
    assert_eq!(value(&metrics, "books_off", "delivered"), 0.0);

    let print = relay.run(&["config", "print"]).await.expect(0);
    let check = relay.run(&["check", "--connect"]).await.expect(0);
    assert!(
        check.stdout.contains("`alumniq-relay notify test`"),
        "{}",
        check.stdout
    );
    let key = SANDBOX_WEBHOOK_SECRET.trim_start_matches("whsec_");
    for shown in [&service.log(), &metrics, &print.said(), &check.said()] {
        for secret in [TOKEN, key] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    service.stop().await;
}

/// The metrics, once both deliveries are counted.
async fn until_counted(service: &harness::service::Service) -> String {
    let mut metrics = String::new();
    until_true("both are counted", async || {
        metrics = service.get("/metrics").await.1;
        value(&metrics, "dead_letters_appeared", "delivered") == 2.0
    })
    .await;
    metrics
}

fn value(metrics: &str, event: &str, outcome: &str) -> f64 {
    let labels = [
        format!("event=\"{event}\""),
        format!("outcome=\"{outcome}\""),
    ];
    let lines = metrics.lines().filter(|line| {
        line.starts_with("alumniq_relay_notifications_total{")
            && labels.iter().all(|label| line.contains(label))
    });
    let values = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
    let values: Vec<f64> = values.collect();
    assert_eq!(values.len(), 1, "{event} {outcome}: {metrics}");
    values[0]
}

#[tokio::test]
async fn a_process_that_stops_gives_back_what_it_was_telling_and_another_goes_on() {
    let sandbox = vendors(1, 1).await;
    let redis = Redis::start().await;
    let relay = telling(&sandbox, &redis);
    let first = telling_a_slow_receiver(&sandbox, &relay).await;
    first.stop().await;
    let held = "HMGET {sandbox}:notice:gate:salsa token doubt";
    let held: Vec<Option<String>> = redis::from_redis_value(redis.command(held).await).unwrap();
    assert_eq!(held, [None, Some("1".to_owned())]);
    sandbox.set_webhook(WebhookMood::default());
    let second = relay.start(IDLE).await;
    told(&sandbox, "destination_paused salsa").await;
    relay.run(&["resume", "salsa"]).await.expect(0);
    told(&sandbox, "destination_resumed salsa").await;
    assert_eq!(arrivals(&sandbox).len(), 2);
    second.stop().await;
}

#[tokio::test]
async fn slack_gets_one_text_and_a_test_message_says_what_became_of_it() {
    let sandbox = vendors(1, 1).await;
    let redis = Redis::start().await;
    let relay = telling(&sandbox, &redis);
    let taken_by = relay.run(&["notify", "test"]).await.expect(0);
    assert!(taken_by.stdout.contains(" took msg_test_"), "{taken_by:?}");
    assert_eq!(events(&sandbox), ["test"]);

    sandbox.set_webhook(WebhookMood {
        status: 404,
        ..WebhookMood::default()
    });
    let refused = relay.run(&["notify", "test"]).await.expect(1);
    assert!(
        refused.said().contains("did not take it: HTTP 404"),
        "{refused:?}"
    );
    assert!(!refused.said().contains(TOKEN), "{refused:?}");
    let unset = Relay::new(&sandbox, Some(&redis));
    let unset = unset.run(&["notify", "test"]).await.expect(2);
    assert!(unset.said().contains("WEBHOOK_URL"), "{unset:?}");

    sandbox.set_webhook(WebhookMood::default());
    let slack = Relay::new(&sandbox, Some(&redis))
        .set("notify.webhook_url", &sandbox.webhook_url())
        .set("notify.format", "slack")
        .set("notify.after", "0s")
        .set("notify.console_url", "https://relay.example.edu");
    let service = slack.start(IDLE).await;
    slack.run(&["pause", "salsa"]).await.expect(0);
    let is_paused = |body: &Value| {
        let text = body["text"].as_str().unwrap_or_default();
        text.starts_with("*Calls to Salsa are paused (sandbox)*: ")
            && text.ends_with(
                "<https://relay.example.edu/runbook#alumniqrelaydestinationpaused|runbook>",
            )
    };
    until_true("Slack is told", async || {
        taken(&sandbox).iter().any(is_paused)
    })
    .await;
    let posted = sandbox.notifications().pop().unwrap();
    assert_eq!(posted.json().as_object().unwrap().len(), 1);
    assert!(!posted.headers.contains_key("webhook-signature"));
    service.stop().await;
}
