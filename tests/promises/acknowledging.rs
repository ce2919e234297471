//! Several acknowledgers, an AlumnIQ that hangs and loses answers, a Redis that is emptied: AlumnIQ is told of a
//! person's older change not later than of the newer one, so what it still lists ends in the newest value.

use std::collections::BTreeMap;

use harness::{
    redis::Redis,
    relay::Relay,
    service::Service,
    vendors::{acknowledged, every_promise_held, vendors},
    waiting::until_true,
};
use redis::AsyncTypedCommands;
use sandbox::{ChangeState, Fault, Faults, Instead, NewChanges, Sandbox, Vendor, VendorFaults};

fn some_of(xid: Option<&str>, count: usize) -> NewChanges {
    NewChanges {
        count,
        xid: xid.map(str::to_owned),
        ..NewChanges::default()
    }
}

/// The next PUTs meet these faults; a hanging one hangs until its process gives up.
fn puts_meet(faults: &[Fault], hang_seconds: f64) -> Faults {
    Faults {
        alumniq: VendorFaults {
            operations: vec!["acknowledge".to_owned()],
            next: faults.to_vec(),
            hang_seconds,
            ..VendorFaults::default()
        },
        ..Faults::default()
    }
}

async fn met(sandbox: &Sandbox, fault: Fault, times: u64) {
    let what = format!("a PUT met {} {times} times", fault.as_str());
    until_true(&what, async || {
        let faults = sandbox.report().faults;
        let met = faults.get(&Vendor::Alumniq).and_then(|met| met.get(&fault));
        met.is_some_and(|met| *met >= times)
    })
    .await;
}

/// The order in which AlumnIQ was first told is, for each person, the order of the changes.
#[track_caller]
fn told_in_order(changes: &[ChangeState]) {
    let mut newest: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for change in changes {
        let told = (change.acknowledged.unwrap(), change.change_id.as_str());
        let older = newest.insert(change.xid.as_deref().unwrap(), told);
        assert!(older < Some(told), "{older:?} was told after {told:?}");
    }
}

/// A PUT of a person's older change hangs; the newer one is applied and has waited longer than any list may, and
/// a second acknowledger stands by.
struct Hanging {
    sandbox: Sandbox,
    redis: Redis,
    older: String,
    newer: String,
    first: Service,
    fleet: Vec<Service>,
    _relay: Relay,
}

impl Hanging {
    async fn begins() -> Self {
        let sandbox = vendors(0, 3).await;
        sandbox.set_faults(puts_meet(&[Fault::Hang], 600.0));
        let redis = Redis::start().await;
        let relay = Relay::new(&sandbox, Some(&redis))
            .set("worker.lease", "2s")
            .set("alumniq.timeout", "60s");
        let older = sandbox.add_changes(&some_of(None, 1)).remove(0);
        let xid = sandbox.change(&older).unwrap().xid.unwrap();
        let first = relay.start("acknowledger").await;
        let mut fleet = vec![relay.start("producer,crm,salsa").await];
        met(&sandbox, Fault::Hang, 1).await;
        fleet.push(relay.start("acknowledger").await);

        let newer = sandbox.add_changes(&some_of(Some(&xid), 1)).remove(0);
        relay.run(&["sync"]).await.expect(0);
        let mut connection = redis.connect().await;
        until_true("the newer change would be due", async || {
            let place = connection.zscore("{sandbox}:ack", &newer).await.unwrap();
            let (seconds, _): (u64, u64) = redis::cmd("TIME")
                .query_async(&mut connection)
                .await
                .unwrap();
            place.is_some_and(|place| place / 1e6 + 3.0 < seconds as f64)
                || sandbox.change(&newer).unwrap().acknowledged.is_some()
        })
        .await;
        Self {
            sandbox,
            redis,
            older,
            newer,
            first,
            fleet,
            _relay: relay,
        }
    }

    fn change(&self, id: &str) -> ChangeState {
        self.sandbox.change(id).unwrap()
    }

    async fn ends(self) {
        acknowledged(&self.sandbox, 2).await;
        told_in_order(&[self.change(&self.older), self.change(&self.newer)]);
        assert_eq!(self.sandbox.report().stale_overwrites, []);
        for service in self.fleet {
            service.stop().await;
        }
    }
}

#[tokio::test]
async fn a_list_of_a_process_that_died_is_told_before_anything_newer() {
    let it = Hanging::begins().await;
    let told = [&it.older, &it.newer].map(|id| it.change(id).acknowledged);
    assert_eq!(told, [None, None]);
    it.first.signal("KILL");
    acknowledged(&it.sandbox, 2).await;
    every_promise_held(&it.sandbox.report(), &[], &[]);
    it.ends().await;
}

#[tokio::test]
async fn what_alumniq_still_lists_when_redis_was_emptied_ends_in_the_newest_value() {
    let it = Hanging::begins().await;
    it.redis.connect().await.flushall().await.unwrap();
    acknowledged(&it.sandbox, 2).await;
    let (older, newer) = (it.change(&it.older), it.change(&it.newer));
    // Applied once more: AlumnIQ knew of neither.
    assert!(older.crm.len() == 2 && older.crm.last() < newer.crm.last());
    assert!(older.salsa.len() == 2 && older.salsa.last() < newer.salsa.last());
    it.ends().await;
}

#[tokio::test]
async fn two_acknowledgers_under_lost_answers_and_an_emptied_redis_tell_each_person_in_order() {
    const CHANGES: usize = 120;
    use Fault::{Hang, Lost, None as Good};
    let sandbox = vendors(0, 12).await;
    let ids = sandbox.add_changes(&some_of(None, CHANGES));
    sandbox.set_faults(puts_meet(
        &[Good, Lost, Good, Hang, Lost, Good, Hang, Lost],
        1.0,
    ));
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("worker.lease", "2s")
        .set("acknowledge.max_batch", "10");
    let mut fleet = Vec::new();
    for roles in ["acknowledger", "acknowledger", "crm,salsa", "producer,crm"] {
        fleet.push(relay.start(roles).await);
    }
    met(&sandbox, Hang, 2).await;
    redis.connect().await.flushall().await.unwrap();
    acknowledged(&sandbox, CHANGES).await;

    let report = sandbox.report();
    assert_eq!((report.acknowledged, report.unprocessed), (CHANGES, 0));
    assert_eq!(report.stale_overwrites, []);
    assert_eq!(report.acknowledged_early, Vec::<String>::new());
    // All were made at one moment, so the order is that of their ids.
    let changes: Vec<_> = ids.iter().map(|id| sandbox.change(id).unwrap()).collect();
    told_in_order(&changes);
    for service in fleet {
        service.stop().await;
    }
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
}

/// What answers every PUT in AlumnIQ's stead.
fn puts_are_answered(status: u16, content_type: &str, body: &str) -> Faults {
    Faults {
        alumniq: VendorFaults {
            operations: vec!["acknowledge".to_owned()],
            rates: BTreeMap::from([(Fault::Instead, 1.0)]),
            instead: Instead {
                status,
                content_type: content_type.to_owned(),
                body: body.to_owned(),
                ..Instead::default()
            },
            ..VendorFaults::default()
        },
        ..Faults::default()
    }
}

#[tokio::test]
async fn a_page_a_redirect_or_a_declared_failure_acknowledges_nothing_and_pauses_alumniq() {
    const CHANGES: usize = 20;
    let sandbox = vendors(CHANGES, 20).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    for (status, content_type, body) in [
        (200, "text/html", "<html><title>Sign in</title></html>"),
        (302, "text/html", "<html>Moved</html>"),
        (200, "application/json", r#"{"success":false}"#),
        (200, "text/plain", "Invalid API key"),
    ] {
        sandbox.set_faults(puts_are_answered(status, content_type, body));
        let service = relay.start("producer,crm,salsa,acknowledger").await;
        until_true("AlumnIQ is paused", async || {
            !relay.status().await["pauses"]["alumniq"].is_null()
        })
        .await;
        service.stop().await;
        let status = relay.status().await;
        assert_eq!(status["books"]["acknowledged"], 0, "{body}: {status}");
        assert_eq!(status["books"]["dead"], 0, "{body}: {status}");
        assert!(
            status["oldest_unacknowledged_seconds"].as_f64() > Some(0.0),
            "{status}"
        );
        relay.run(&["resume", "alumniq"]).await.expect(0);
    }
    sandbox.set_faults(Faults::default());
    relay.run(&["sync", "--wait"]).await.expect(0);
    every_promise_held(&sandbox.report(), &[], &[]);
}

#[tokio::test]
async fn what_alumniq_lists_after_two_acknowledgements_is_a_warning_and_a_metric() {
    let sandbox = vendors(3, 3).await;
    sandbox.set_faults(puts_are_answered(200, "text/plain", ""));
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sync.prom");
    let metrics = file.to_str().unwrap();
    let still_listed = || {
        let text = std::fs::read_to_string(metrics).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("alumniq_relay_changes_still_listed_total"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    for (times, listed) in [(0, 0.0), (1, 0.0), (2, 3.0), (3, 3.0)] {
        let sync = relay
            .run(&["sync", "--wait", "--metrics-file", metrics])
            .await
            .expect(0);
        assert_eq!(still_listed(), Some(listed), "{times} times acknowledged");
        let warned = sync.stderr.contains("lists changes again");
        assert_eq!(warned, listed > 0.0, "{}", sync.stderr);
    }
    assert_eq!(relay.status().await["books"]["acknowledged"], 3);
}
