//! An outage pauses a destination and costs no change an attempt; poison pays for itself and pauses nobody.

use alumniq_relay::sandbox::{Fault, Faults, Outage, VendorFaults};

use crate::harness::{
    redis::Redis,
    relay::Relay,
    vendors::{acknowledged, every_promise_held, vendors},
    waiting::until_true,
};

const EVERYTHING: &str = "producer,crm,salsa,acknowledger";

fn down(fault: Fault) -> VendorFaults {
    VendorFaults {
        outages: vec![Outage {
            after_seconds: 0.0,
            seconds: None,
            fault,
        }],
        ..VendorFaults::default()
    }
}

#[tokio::test]
async fn vendors_that_are_down_for_longer_than_all_retries_cost_no_change_an_attempt() {
    const CHANGES: usize = 200;
    let sandbox = vendors(CHANGES, 80).await;
    let redis = Redis::start().await;
    // Every attempt is the last: whatever consumed one would be a dead letter.
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("crm.max_attempts", "1")
        .set("salsa.max_attempts", "1");
    for (crm, salsa) in [
        (Fault::Unavailable, Fault::Close),
        (Fault::Throttle, Fault::ThrottleText),
    ] {
        sandbox.set_faults(Faults {
            crm: down(crm),
            salsa: down(salsa),
            ..Faults::default()
        });
        let service = relay.start(EVERYTHING).await;
        // Two pauses each: the first probe has met the outage as well.
        until_true("both destinations are paused again and again", async || {
            let report = sandbox.report();
            let met =
                |faults: &std::collections::BTreeMap<Fault, u64>| faults.values().sum::<u64>() > 10;
            report.faults.len() >= 2 && report.faults.values().all(met)
        })
        .await;
        let status = relay.status().await;
        for destination in ["crm", "salsa"] {
            let counts = &status["destinations"][destination];
            assert_eq!(counts["paused"], true, "{status}");
            assert_eq!(
                (&counts["dead"], &counts["retry"]),
                (&0.into(), &0.into()),
                "{status}"
            );
        }
        service.stop().await;
    }
    sandbox.set_faults(Faults::default());
    relay.json(&["status", "--json"]).await;
    let service = relay.start(EVERYTHING).await;
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
    service.stop().await;
}

#[tokio::test]
async fn a_change_that_alone_keeps_failing_is_exhausted_and_pauses_nobody() {
    const CHANGES: usize = 200;
    let sandbox = vendors(CHANGES, 80).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("salsa.max_attempts", "2");
    let victim = relay.json(&["sync", "--json"]).await;
    assert_eq!(victim["enqueued"], CHANGES);
    let poison = sandbox.add_changes(&alumniq_relay::sandbox::NewChanges {
        count: 1,
        ..Default::default()
    });
    let poisoned = sandbox.change(&poison[0]).unwrap().xid.unwrap();
    sandbox.set_faults(Faults {
        salsa: VendorFaults {
            system_error_xids: vec![poisoned.clone()],
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let ended = relay.run(&["sync", "--wait", "--json"]).await.expect(3);
    let letters = relay.dead().await;
    assert!(!letters.is_empty());
    for letter in &letters {
        assert_eq!(letter["class"], "exhausted", "{letter}");
        assert_eq!(letter["xid"], poisoned.as_str(), "{letter}");
        assert_eq!(letter["attempts"], 2, "{letter}");
    }
    assert!(!ended.stderr.contains("paused"), "{}", ended.stderr);
    let dead = relay.dead_ids().await;
    let report = sandbox.report();
    assert_eq!(report.acknowledged, CHANGES + 1 - dead.len());
    every_promise_held(&report, &[], &dead);
}
