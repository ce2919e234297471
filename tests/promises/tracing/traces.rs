//! One trace a change, whichever processes work on it, and a collector that fails hinders nobody.

use std::collections::{BTreeMap, BTreeSet};

use harness::{
    collector::{Collector, Span},
    redis::Redis,
    relay::{Relay, text},
    vendors::{acknowledged, every_promise_held, vendors},
    waiting::until_true,
};
use sandbox::{Fault, Faults, Sandbox, VendorFaults};

/// The changes of which AlumnIQ lists none any more, with the traces that name them.
fn by_change(collector: &Collector) -> BTreeMap<String, Vec<Vec<Span>>> {
    let mut changes: BTreeMap<String, Vec<Vec<Span>>> = BTreeMap::new();
    for spans in collector.traces().into_values() {
        let ids: BTreeSet<&str> = spans
            .iter()
            .map(|span| span.of("change_id"))
            .filter(|id| !id.is_empty())
            .collect();
        assert_eq!(ids.len(), 1, "a trace is of one change: {spans:#?}");
        let id = ids.into_iter().next().unwrap().to_owned();
        changes.entry(id).or_default().push(spans);
    }
    changes
}

/// Fails unless the spans are one whole tree below one root, each within its parent's time.
#[track_caller]
fn is_whole(spans: &[Span]) {
    let by_id: BTreeMap<&[u8], &Span> = spans.iter().map(|span| (&*span.id, span)).collect();
    assert_eq!(by_id.len(), spans.len(), "two spans of one id: {spans:#?}");
    let roots: Vec<_> = spans.iter().filter(|span| span.parent.is_empty()).collect();
    let names: Vec<_> = roots.iter().map(|root| root.name.as_str()).collect();
    assert_eq!(names, ["change"], "{spans:#?}");
    assert_eq!(roots[0].of("outcome"), "acknowledged");
    for span in spans.iter().filter(|span| !span.parent.is_empty()) {
        let parent = by_id.get(&*span.parent);
        let parent = parent.unwrap_or_else(|| panic!("{span:#?} has no parent in {spans:#?}"));
        assert!(
            parent.encloses(span),
            "{parent:#?} does not enclose {span:#?}"
        );
        let parents: &[&str] = match span.name.as_str() {
            "fetch" | "apply to crm" | "apply to salsa" | "acknowledge" => &["change"],
            "alumniq fetch" => &["fetch"],
            "crm token" | "crm update" => &["apply to crm"],
            "salsa search" | "salsa put" => &["apply to salsa"],
            "alumniq acknowledge" => &["acknowledge"],
            other => panic!("{other}"),
        };
        assert!(
            parents.contains(&parent.name.as_str()),
            "{span:#?} in {parent:#?}"
        );
    }
}

/// Whether every part of an acknowledged change's trace is there.
fn is_complete(spans: &[Span]) -> bool {
    let done = |name: &str, outcome: &str| {
        let mut spans = spans.iter();
        spans.any(|span| span.name == name && span.of("outcome") == outcome)
    };
    done("change", "acknowledged")
        && done("fetch", "enqueued")
        && done("apply to crm", "done")
        && done("apply to salsa", "done")
        && done("acknowledge", "acknowledged")
}

/// What the trace tells of one destination: attempt and outcome, in order.
fn attempts(spans: &[Span], destination: &str) -> Vec<(String, String)> {
    let name = format!("apply to {destination}");
    let mut attempts: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    attempts.sort_by_key(|span| span.begun);
    let told = attempts
        .into_iter()
        .map(|span| (span.of("attempt").to_owned(), span.of("outcome").to_owned()));
    told.collect()
}

/// The same as `show` tells it.
async fn shown(relay: &Relay, id: &str, destination: &str) -> Vec<String> {
    let timeline = relay.show(id).await;
    let events = timeline["events"].as_array().unwrap().iter();
    let here = events.filter(|event| event["destination"] == destination);
    here.map(|event| text(&event["event"])).collect()
}

fn traced(sandbox: &Sandbox, redis: &Redis, url: &str) -> Relay {
    Relay::new(sandbox, Some(redis)).set("telemetry.otlp_url", url)
}

#[tokio::test]
async fn every_acknowledged_change_has_one_whole_trace_made_by_several_processes() {
    const CHANGES: usize = 60;
    const FAILURES: usize = 6;
    let sandbox = vendors(CHANGES, 40).await;
    // Fewer in a row than make an outage: each costs its change an attempt.
    sandbox.set_faults(Faults {
        crm: VendorFaults {
            operations: vec!["update".to_owned()],
            next: vec![Fault::ServerError; FAILURES],
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let collector = Collector::start().await;
    let redis = Redis::start().await;
    let relay = traced(&sandbox, &redis, &collector.url());
    let fleet = [
        relay.start("producer").await,
        relay.start("crm").await,
        relay.start("crm,salsa").await,
        relay.start("acknowledger").await,
    ];
    acknowledged(&sandbox, CHANGES).await;
    // A busy machine may take longer than the end of a process waits for the collector.
    until_true("every process has sent its part", async || {
        let traces = collector.traces();
        traces.len() == CHANGES && traces.values().all(|spans| is_complete(spans))
    })
    .await;
    for service in fleet {
        service.stop().await;
    }
    every_promise_held(&sandbox.report(), &[], &[]);

    let changes = by_change(&collector);
    assert_eq!(changes.len(), CHANGES);
    let mut retried = 0;
    for (id, traces) in &changes {
        let [spans] = &traces[..] else {
            panic!("change {id} has {} traces", traces.len());
        };
        is_whole(spans);
        for name in [
            "fetch",
            "alumniq fetch",
            "acknowledge",
            "alumniq acknowledge",
        ] {
            let count = spans.iter().filter(|span| span.name == name).count();
            assert_eq!(count, 1, "{name} of {id}: {spans:#?}");
        }
        let processes: BTreeSet<&str> = spans.iter().map(|span| span.process.as_str()).collect();
        assert!(processes.len() >= 3, "{processes:?}");
        for destination in ["crm", "salsa"] {
            let told = attempts(spans, destination);
            let outcomes: Vec<&str> = told.iter().map(|(_, outcome)| outcome.as_str()).collect();
            assert_eq!(
                outcomes,
                shown(&relay, id, destination).await,
                "{id} at {destination}"
            );
            let numbers: Vec<String> = told.iter().map(|(attempt, _)| attempt.clone()).collect();
            let counted: Vec<String> = (1..=told.len()).map(|n| n.to_string()).collect();
            assert_eq!(numbers, counted, "{id} at {destination}");
            retried += told.len() - 1;
        }
        for span in spans {
            let is_failure = matches!(span.of("outcome"), "retry") || span.of("status") == "500";
            assert_eq!(span.failed, is_failure, "{span:#?}");
        }
    }
    assert_eq!(retried, FAILURES);

    // Each call is known to the vendor by the name that the traces have for it.
    let received: BTreeSet<String> = sandbox
        .request_ids()
        .into_iter()
        .map(|(_, id)| id)
        .collect();
    for span in changes.values().flatten().flatten() {
        for id in span.of("request_id").split(',').filter(|id| !id.is_empty()) {
            assert!(received.contains(id), "{span:#?}");
        }
    }
}

#[tokio::test]
async fn a_collector_that_is_down_hinders_nobody_and_is_told_what_it_missed() {
    const CHANGES: usize = 40;
    let sandbox = vendors(CHANGES, 30).await;
    // A port on which nobody listens.
    let gone = Collector::start().await;
    let (address, url) = (gone.address(), gone.url());
    gone.stop().await;
    let redis = Redis::start().await;
    let relay = traced(&sandbox, &redis, &url);
    let service = relay.start("producer,crm,salsa,acknowledger").await;
    acknowledged(&sandbox, CHANGES).await;
    let lines = |words: &str| service.log().matches(words).count();
    until_true("the log says that nobody takes traces", async || {
        lines("the collector takes no traces") == 1
    })
    .await;

    let collector = Collector::start_at(address).await;
    until_true("it has every trace", async || {
        let traces = collector.traces();
        traces.len() == CHANGES && traces.values().all(|spans| is_complete(spans))
    })
    .await;
    until_true("the log says that it is over", async || {
        lines("the collector takes traces again") == 1
    })
    .await;
    assert_eq!(
        lines("the collector takes no traces"),
        1,
        "{}",
        service.log()
    );
    let changes = by_change(&collector);
    assert_eq!(changes.len(), CHANGES);
    changes.values().flatten().for_each(|spans| is_whole(spans));

    // It goes away again, this time for good: the process still ends as it should.
    collector.stop().await;
    let more = sandbox.add_changes(&sandbox::NewChanges {
        count: 5,
        ..Default::default()
    });
    relay.run(&["sync"]).await.expect(0);
    acknowledged(&sandbox, CHANGES + more.len()).await;
    service.stop().await;
}

#[tokio::test]
async fn a_share_of_the_changes_is_traced_and_each_of_them_in_whole() {
    const CHANGES: usize = 80;
    let sandbox = vendors(CHANGES, 60).await;
    let collector = Collector::start().await;
    let redis = Redis::start().await;
    let relay = traced(&sandbox, &redis, &collector.url())
        .set("telemetry.sample_ratio", "0.5")
        .set("telemetry.otlp_headers", "api-key=for-the-collector-alone");
    let consumers = relay.start("crm,salsa").await;
    let synced = relay.run(&["sync", "--wait"]).await.expect(0);
    // The end of a process sends what waits, unless the machine is too slow for that, which it says.
    let said = "the collector has not taken every trace";
    if !synced.stderr.contains(said) {
        until_true("every trace is whole", async || {
            let traces = collector.traces();
            !traces.is_empty() && traces.values().all(|spans| is_complete(spans))
        })
        .await;
        by_change(&collector)
            .values()
            .flatten()
            .for_each(|spans| is_whole(spans));
    }
    consumers.stop().await;
    acknowledged(&sandbox, CHANGES).await;
    let traced = by_change(&collector).len();
    assert!(0 < traced && traced < CHANGES, "{traced}");
    let keys = collector.header("api-key");
    assert!(
        keys.iter().all(|key| key == "for-the-collector-alone"),
        "{keys:?}"
    );
}
