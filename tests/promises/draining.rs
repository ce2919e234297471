//! SIGTERM: what has begun is finished, the rest is given back, and no attempt is consumed.

use alumniq_relay::sandbox::{Faults, VendorFaults};

use crate::harness::{
    redis::Redis,
    relay::Relay,
    service::Exit,
    vendors::{acknowledged, every_promise_held, repeats, vendors},
    waiting::until_true,
};

#[tokio::test]
async fn sigterm_gives_back_what_has_not_begun_and_costs_no_change_an_attempt() {
    const CHANGES: usize = 400;
    let sandbox = vendors(CHANGES, 150).await;
    let slow = |latency_ms| VendorFaults {
        latency_ms,
        ..VendorFaults::default()
    };
    sandbox.set_faults(Faults {
        crm: slow(200),
        salsa: slow(300),
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("crm.concurrency", "8");
    let service = relay.start("producer,crm,salsa,acknowledger").await;
    until_true("it works", async || {
        sandbox
            .report()
            .applied
            .values()
            .all(|applied| *applied > 20)
    })
    .await;
    service.stop().await;

    let status = relay.status().await;
    assert_eq!(status["books"]["difference"], 0, "{status}");
    for destination in ["crm", "salsa"] {
        let counts = &status["destinations"][destination];
        assert_eq!(counts["running"], 0, "given back or settled: {status}");
        assert_eq!(counts["retry"], 0, "no attempt failed: {status}");
        assert!(
            counts["ready"].as_u64() > Some(0),
            "it stopped in mid-run: {status}"
        );
    }
    assert_eq!(status["acknowledging"], 0, "{status}");
    assert_eq!(status["refused_settles"], 0, "{status}");

    let again = relay.start("producer,crm,salsa,acknowledger").await;
    acknowledged(&sandbox, CHANGES).await;
    let report = sandbox.report();
    every_promise_held(&report, &[], &[]);
    assert_eq!(repeats(&report), 0, "what had begun was finished");
    again.stop().await;
    let mut connection = redis.connect().await;
    let timelines: Vec<String> = redis::cmd("KEYS")
        .arg("{sandbox}:events:*")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(timelines.len(), CHANGES);
    for timeline in timelines {
        let events: Vec<String> = redis::cmd("LRANGE")
            .arg(&[timeline.as_str(), "0", "-1"])
            .query_async(&mut connection)
            .await
            .unwrap();
        for trace in ["retry", "lease_expired", "paused"] {
            let trace = format!("\"event\":\"{trace}\"");
            assert!(
                !events.iter().any(|event| event.contains(&trace)),
                "{timeline}: {events:?}"
            );
        }
    }
    let first = relay.show("9800").await;
    let done = first["events"].as_array().unwrap().iter();
    assert_eq!(
        done.filter(|event| event["event"] == "done").count(),
        2,
        "{first}"
    );
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let sandbox = vendors(50, 20).await;
    sandbox.set_faults(Faults {
        crm: VendorFaults {
            latency_ms: 60_000,
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("crm.timeout", "300s");
    let mut service = relay.start("producer,crm,salsa,acknowledger").await;
    until_true("calls are under way", async || {
        let status = relay.status().await;
        status["destinations"]["crm"]["running"].as_u64() > Some(0)
    })
    .await;
    service.signal("TERM");
    until_true("it drains", async || service.log().contains("draining")).await;
    service.signal("TERM");
    assert_eq!(service.ended().await, Exit::Code(130));
}
