//! Promise 4 with processes: an older change that comes late, and replays in bulk while new changes of the same
//! people flow. `letters` has the replay of a single older change.

use std::collections::BTreeSet;

use harness::{
    redis::Redis,
    relay::{Relay, ids},
    rows::campus_now,
    vendors::vendors,
    waiting::until_true,
};
use jiff::ToSpan;
use sandbox::{Faults, NewChanges, Sandbox, VendorFaults};

/// A change of this person, made so many hours ago.
fn made(sandbox: &Sandbox, xid: &str, hours_ago: i64) -> String {
    let changed_on = campus_now().saturating_sub(hours_ago.hours());
    let wanted = NewChanges {
        count: 1,
        xid: Some(xid.to_owned()),
        changed_on: Some(changed_on),
        ..NewChanges::default()
    };
    sandbox.add_changes(&wanted).remove(0)
}

/// One person whom both destinations know.
fn somebody(sandbox: &Sandbox) -> (String, String) {
    let wanted = NewChanges {
        count: 1,
        ..NewChanges::default()
    };
    let newest = sandbox.add_changes(&wanted).remove(0);
    let xid = sandbox.change(&newest).unwrap().xid.unwrap();
    (xid, newest)
}

#[tokio::test]
async fn an_older_change_that_comes_late_is_applied_only_on_purpose() {
    let sandbox = vendors(0, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let (xid, newest) = somebody(&sandbox);
    relay.run(&["sync", "--wait"]).await.expect(0);

    // Its changeId is greater, but it was made earlier.
    let older = made(&sandbox, &xid, 30);
    relay.run(&["sync", "--wait"]).await.expect(3);
    let letters = relay.dead().await;
    let at: BTreeSet<_> = letters
        .iter()
        .map(|letter| (letter["class"].as_str(), letter["destination"].as_str()))
        .collect();
    assert_eq!(
        at,
        [(Some("stale"), Some("crm")), (Some("stale"), Some("salsa"))].into()
    );
    let state = sandbox.change(&older).unwrap();
    assert!(state.crm.is_empty() && state.salsa.is_empty() && state.acknowledged.is_none());
    relay.run(&["dead", "replay", &older]).await.expect(0);
    relay.run(&["sync", "--wait"]).await.expect(3);
    assert_eq!(relay.dead_ids().await, std::slice::from_ref(&older));
    assert_eq!(sandbox.report().inversions, []);

    let on_purpose = ["dead", "replay", &older, "--apply-stale"];
    relay.run(&on_purpose).await.expect(0);
    relay.run(&["sync", "--wait"]).await.expect(0);
    let state = sandbox.change(&older).unwrap();
    assert_eq!((state.crm.len(), state.salsa.len()), (1, 1));
    assert!(state.acknowledged.is_some());

    // What was applied on purpose is not what is newest: that lies in between, and is late as well.
    let between = made(&sandbox, &xid, 20);
    relay.run(&["sync", "--wait"]).await.expect(3);
    assert_eq!(relay.dead_ids().await, std::slice::from_ref(&between));
    let applied = sandbox.report().inversions.into_iter();
    let applied: Vec<_> = applied.map(|b| (b.change_id, b.newer_change_id)).collect();
    assert_eq!(applied, vec![(older, newest); 2]);
}

fn salsa_refuses(xids: &[String]) -> Faults {
    Faults {
        salsa: VendorFaults {
            validation_error_xids: xids.to_vec(),
            ..VendorFaults::default()
        },
        ..Faults::default()
    }
}

async fn everything_has_come_to_its_end(relay: &Relay, sandbox: &Sandbox) {
    until_true("every change is acknowledged or dead", async || {
        let books = &relay.status().await["books"];
        books["in_flight"] == 0 && books["fetched"] == sandbox.report().changes
    })
    .await;
}

#[tokio::test]
async fn a_bulk_replay_while_new_changes_of_the_same_people_flow_overwrites_nothing() {
    const PEOPLE: usize = 8;
    let sandbox = vendors(0, 40).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let mut people = BTreeSet::new();
    while people.len() < PEOPLE {
        people.insert(somebody(&sandbox).0);
    }
    let people: Vec<String> = people.into_iter().collect();
    let of_everybody = || {
        for xid in &people {
            sandbox.add_changes(&NewChanges {
                count: 1,
                xid: Some(xid.clone()),
                ..NewChanges::default()
            });
        }
    };
    let mut fleet = Vec::new();
    for roles in ["crm,salsa", "crm,salsa", "producer,acknowledger"] {
        fleet.push(relay.start(roles).await);
    }
    for _ in 0..3 {
        sandbox.set_faults(salsa_refuses(&people));
        let dead = relay.dead().await.len();
        for _ in 0..2 {
            of_everybody();
        }
        relay.run(&["sync"]).await.expect(0);
        until_true("two letters for each person", async || {
            relay.dead().await.len() >= dead + 2 * PEOPLE
        })
        .await;
        sandbox.set_faults(Faults::default());
        let flow = async {
            for _ in 0..3 {
                of_everybody();
                relay.run(&["sync"]).await.expect(0);
            }
        };
        let replay = ["dead", "replay", "--all", "--rate", "40/s"];
        tokio::join!(flow, async { relay.run(&replay).await.expect(0) });
    }
    everything_has_come_to_its_end(&relay, &sandbox).await;

    let letters = relay.dead().await;
    let others: Vec<_> = letters.iter().filter(|l| l["class"] != "stale").collect();
    assert!(others.is_empty(), "{others:?}");
    let report = sandbox.report();
    assert_eq!(report.stale_overwrites, []);
    assert_eq!(report.inversions, []);
    assert_eq!(report.unacknowledged.len(), ids(&letters).len());
    let unacknowledged: BTreeSet<_> = report.unacknowledged.into_iter().collect();
    assert_eq!(unacknowledged, ids(&letters).into_iter().collect());
    println!("{} of {} are stale", unacknowledged.len(), report.changes);
    for service in fleet {
        service.stop().await;
    }
}
