//! Dead letters: an operator replays or discards them, and an old change never overwrites a newer one.

use std::time::Instant;

use harness::{
    redis::Redis,
    relay::Relay,
    vendors::{every_promise_held, vendors},
};
use sandbox::{Fault, Faults, Limits, NewChanges, Sandbox, Vendor, VendorFaults};

const NOBODY: &str = "nobody-knows-me";

/// Two changes of one person: the older one is dead at Salsa, the newer one is applied and acknowledged.
struct Overtaken {
    sandbox: Sandbox,
    relay: Relay,
    older: String,
    newer: String,
    _redis: Redis,
}

impl Overtaken {
    async fn happened() -> Self {
        let sandbox = vendors(20, 10).await;
        let redis = Redis::start().await;
        let relay = Relay::new(&sandbox, Some(&redis));
        relay.run(&["sync", "--wait"]).await.expect(0);
        let xid = sandbox.add_changes(&one_of(None));
        let xid = sandbox.change(&xid[0]).unwrap().xid.unwrap();
        let older = sandbox.add_changes(&one_of(Some(&xid))).remove(0);
        sandbox.set_faults(Faults {
            salsa: VendorFaults {
                validation_error_xids: vec![xid.clone()],
                ..VendorFaults::default()
            },
            ..Faults::default()
        });
        relay.run(&["sync", "--wait"]).await.expect(3);
        sandbox.set_faults(Faults::default());
        let newer = sandbox.add_changes(&one_of(Some(&xid))).remove(0);
        relay.run(&["sync", "--wait"]).await;
        let newest = sandbox.change(&newer).unwrap();
        assert!(
            newest.acknowledged.is_some(),
            "a dead letter does not hold up its lane"
        );
        assert!(relay.dead_ids().await.contains(&older));
        Self {
            sandbox,
            relay,
            older,
            newer,
            _redis: redis,
        }
    }

    /// Applications of the older change at Salsa.
    fn applied(&self) -> usize {
        self.sandbox.change(&self.older).unwrap().salsa.len()
    }

    async fn replay(&self, arguments: &[&str]) {
        let replay = [&["dead", "replay", self.older.as_str()], arguments].concat();
        self.relay.run(&replay).await.expect(0);
        self.relay.run(&["sync", "--wait"]).await;
    }
}

fn one_of(xid: Option<&str>) -> NewChanges {
    NewChanges {
        count: 1,
        xid: xid.map(str::to_owned),
        ..NewChanges::default()
    }
}

#[tokio::test]
async fn a_replay_of_an_older_change_becomes_stale_and_overwrites_nothing() {
    let it = Overtaken::happened().await;
    it.replay(&[]).await;
    assert_eq!(it.applied(), 0);
    let letters = it.relay.dead().await;
    let letter = letters
        .iter()
        .find(|letter| letter["change_id"] == it.older.as_str())
        .unwrap();
    assert_eq!(letter["class"], "stale");
    assert_eq!(it.sandbox.report().stale_overwrites, []);
    assert!(it.sandbox.change(&it.older).unwrap().acknowledged.is_none());
}

#[tokio::test]
async fn an_operator_may_apply_a_stale_change_on_purpose() {
    let it = Overtaken::happened().await;
    it.replay(&["--apply-stale"]).await;
    assert_eq!(it.applied(), 1);
    assert!(it.sandbox.change(&it.older).unwrap().acknowledged.is_some());
    assert_eq!(it.sandbox.change(&it.newer).unwrap().salsa.len(), 1);
}

#[tokio::test]
async fn a_discard_wants_a_reason_and_tells_alumniq_unless_told_not_to() {
    let sandbox = vendors(10, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let strangers: Vec<String> = (0..3)
        .flat_map(|_| sandbox.add_changes(&one_of(Some(NOBODY))))
        .collect();
    relay.run(&["sync", "--wait"]).await.expect(3);
    assert_eq!(
        relay.dead().await.len(),
        3 * 2,
        "unmatched at both destinations"
    );

    let without_reason = relay
        .run(&["dead", "discard", &strangers[0]])
        .await
        .expect(2);
    assert!(
        without_reason.said().contains("--reason"),
        "{}",
        without_reason.stderr
    );
    let reason = ["--reason", "no such person"];
    relay
        .run(&[&["dead", "discard", strangers[0].as_str()], &reason[..]].concat())
        .await
        .expect(0);
    let keep = [
        "dead",
        "discard",
        strangers[1].as_str(),
        "--keep-unacknowledged",
    ];
    relay.run(&[&keep, &reason[..]].concat()).await.expect(0);
    relay.run(&["sync", "--wait"]).await;

    assert!(
        sandbox
            .change(&strangers[0])
            .unwrap()
            .acknowledged
            .is_some()
    );
    assert!(
        sandbox
            .change(&strangers[1])
            .unwrap()
            .acknowledged
            .is_none()
    );
    let shown = relay.show(&strangers[0]).await;
    assert_eq!(shown["state"], "discarded");
    assert!(shown.to_string().contains("no such person"), "{shown}");
    let books = &relay.status().await["books"];
    assert_eq!(
        (&books["discarded"], &books["dead"]),
        (&2.into(), &1.into())
    );
    assert_eq!(books["difference"], 0);
    every_promise_held(&sandbox.report(), &strangers[..2], &strangers[2..]);
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing_and_a_rate_is_kept() {
    let sandbox = vendors(10, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("salsa.enabled", "false");
    for _ in 0..5 {
        sandbox.add_changes(&one_of(Some(NOBODY)));
    }
    relay.run(&["sync", "--wait"]).await.expect(3);
    let before = relay.dead().await;
    for command in ["replay", "discard"] {
        let counted = relay
            .run(&["dead", command, "--class", "unmatched", "--dry-run"])
            .await
            .expect(0);
        assert!(counted.said().contains('5'), "{}", counted.stdout);
        assert_eq!(relay.dead().await, before);
    }
    let started = Instant::now();
    relay
        .run(&["dead", "replay", "--all", "--rate", "2/s"])
        .await
        .expect(0);
    assert!(
        started.elapsed().as_secs_f64() >= 2.0,
        "five at 2/s take two seconds at least"
    );
    assert_eq!(relay.dead().await.len(), 0);
    let nothing_selected = relay.run(&["dead", "replay"]).await.expect(2);
    assert!(
        nothing_selected.said().contains("--all"),
        "{}",
        nothing_selected.stderr
    );
}

#[tokio::test]
async fn an_id_that_alumniq_refuses_is_found_and_the_others_are_acknowledged() {
    const CHANGES: usize = 150;
    let sandbox = vendors(CHANGES, 60).await;
    let culprit = sandbox.add_changes(&one_of(None)).remove(0);
    sandbox.set_limits(Limits {
        poison_ack_ids: [culprit.clone()].into(),
        ..sandbox.limits()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["sync", "--wait"]).await.expect(3);
    let letters = relay.dead().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["change_id"], culprit.as_str());
    assert_eq!(letters[0]["class"], "ack_rejected");
    let report = sandbox.report();
    assert_eq!(report.acknowledged, CHANGES);
    every_promise_held(&report, &[], std::slice::from_ref(&culprit));

    sandbox.set_limits(Limits::default());
    relay.run(&["dead", "replay", &culprit]).await.expect(0);
    relay.run(&["sync", "--wait"]).await.expect(0);
    assert_eq!(sandbox.report().acknowledged, CHANGES + 1);
}

#[tokio::test]
async fn a_failure_of_alumniq_now_and_then_is_held_against_no_change() {
    let sandbox = vendors(2, 2).await;
    // The list, then the first id alone, twice; the other one is accepted in between.
    let failures = [
        Fault::ServerError,
        Fault::ServerError,
        Fault::None,
        Fault::ServerError,
    ];
    sandbox.set_faults(Faults {
        alumniq: VendorFaults {
            operations: vec!["acknowledge".to_owned()],
            next: failures.to_vec(),
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("acknowledge.max_wait", "60s");
    relay.run(&["sync", "--wait"]).await.expect(0);
    let report = sandbox.report();
    assert_eq!(report.acknowledged, 2);
    // The list, 1, 2; 1 again; 2 again to see whether AlumnIQ accepts anything, and 1 once more.
    assert_eq!(report.traffic.calls_of(Vendor::Alumniq, "acknowledge"), 6);
}
