//! Every query of every panel, sent to a real Prometheus that scrapes a real fleet.

use alumniq_relay::observe::metrics::{MetricKind, Scope};
use harness::{
    prometheus::Prometheus, redis::Redis, relay::Relay, service::Service, vendors::vendors_with,
    waiting::until_true,
};
use sandbox::{Fault, Faults, NewChanges, Sandbox, SandboxOptions, VendorFaults};
use serde_json::json;

use super::{
    asking::{Choice, Question, questions},
    dashboard,
    meaning::metrics,
};

const NAMESPACE: &str = "north.campus";

/// The next call to Salsa is one too many. Once: where each wave threw one, nothing might be acknowledged any more.
fn throttle_once(sandbox: &Sandbox) {
    sandbox.set_faults(Faults {
        salsa: VendorFaults {
            next: vec![Fault::Throttle],
            retry_after: Some(1),
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
}

/// More changes, one of them with a key that nothing maps.
fn more_changes(sandbox: &Sandbox, wave: usize) {
    sandbox.add_changes(&NewChanges {
        count: 3,
        rows: vec![json!({ "changeId": 900_000 + wave, "xid": "", "favouriteColour": "blue" })],
        ..NewChanges::default()
    });
}

/// Asks and forgets what was answered.
async fn ask_again(unanswered: &mut Vec<Question>, prometheus: &Prometheus) {
    let mut still = Vec::new();
    for question in unanswered.drain(..) {
        let answer = question.ask(prometheus).await;
        question.labels_are_in(&answer);
        if answer.is_empty() {
            still.push(question);
        }
    }
    *unanswered = still;
}

fn names(questions: &[Question]) -> Vec<&str> {
    questions
        .iter()
        .map(|question| question.title.as_str())
        .collect()
}

/// Whether it has an answer only while something is held.
fn wants_a_pause(question: &Question) -> bool {
    ["\"Where does it stick", "\"Pauses\""]
        .iter()
        .any(|title| question.title.starts_with(title))
}

/// Whether one process's word is enough: every process says the same of what the fleet shares.
fn is_shared(question: &Question) -> bool {
    let metrics = metrics(&question.expression);
    metrics
        .iter()
        .all(|metric| matches!(metric.scope, Scope::Fleet))
}

/// Whether it adds up what each process counts: no share, no quantile.
fn is_added_up(question: &Question) -> bool {
    let metrics = metrics(&question.expression);
    let counted = |kind| matches!(kind, MetricKind::Counter | MetricKind::Histogram);
    let own = metrics
        .iter()
        .all(|metric| matches!(metric.scope, Scope::Process) && counted(metric.kind));
    own && !question.expression.contains('/') && !question.expression.contains("histogram_quantile")
}

#[tokio::test]
async fn every_query_of_every_panel_is_answered_by_a_fleet_that_has_seen_trouble() {
    let sandbox = vendors_with(SandboxOptions {
        changes: 40,
        people: 20,
        missing_in_crm: 2,
        anonymous: 2,
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("namespace", NAMESPACE)
        .set("alumniq.poll", "every 10s");
    let mut fleet: Vec<Service> = Vec::new();
    for roles in [
        "producer,crm,salsa,acknowledger",
        "crm,salsa",
        "producer,acknowledger",
    ] {
        fleet.push(relay.start(roles).await);
    }
    let processes: Vec<&Service> = fleet.iter().collect();
    let prometheus = Prometheus::start(&processes).await;

    let choice = Choice {
        namespaces: vec![NAMESPACE.to_owned(), "another".to_owned()],
        instances: fleet
            .iter()
            .map(|service| service.address().to_string())
            .collect(),
    };
    let all = questions(&dashboard(), &choice, &["crm", "salsa"]);
    assert!(all.len() > 50, "{}", all.len());
    let (shared, mut counted): (Vec<_>, Vec<_>) = all.iter().cloned().partition(is_shared);
    counted.retain(is_added_up);
    assert!(
        shared.len() > 20 && counted.len() > 10,
        "{} {}",
        shared.len(),
        counted.len()
    );
    let (mut while_held, mut unanswered): (Vec<_>, Vec<_>) =
        all.into_iter().partition(wants_a_pause);
    assert_eq!(while_held.len(), 2, "{:?}", names(&while_held));
    throttle_once(&sandbox);
    let mut wave = 0;
    until_true("everything else is answered", async || {
        more_changes(&sandbox, wave);
        wave += 1;
        ask_again(&mut unanswered, &prometheus).await;
        if wave % 20 == 0 {
            eprintln!("not answered yet: {:?}", names(&unanswered));
        }
        unanswered.is_empty()
    })
    .await;
    until_true("processes have shared the work", async || {
        more_changes(&sandbox, wave);
        wave += 1;
        let mut told_by_several = 0;
        for question in &counted {
            let (all, each) = question.sums(&prometheus, &choice.instances).await;
            let sum: f64 = each.iter().sum();
            assert!(
                (all - sum).abs() <= 1e-6 * sum,
                "{}: {all} of {each:?}",
                question.title
            );
            told_by_several += usize::from(each.iter().filter(|one| **one > 0.0).count() > 1);
        }
        told_by_several > 3
    })
    .await;
    relay.run(&["pause", "crm"]).await.expect(0);
    until_true("what is held is told", async || {
        ask_again(&mut while_held, &prometheus).await;
        while_held.is_empty()
    })
    .await;

    for question in &shared {
        // Processes are scraped one after another, and ages grow.
        until_true(&format!("{} is not summed", question.title), async || {
            let (all, each) = question.sums(&prometheus, &choice.instances).await;
            each.iter().all(|one| (all - one).abs() <= 0.5 * one.abs())
        })
        .await;
    }

    // A dot in a name is no wildcard.
    let choice = Choice {
        namespaces: vec!["north.camp.s".to_owned()],
        instances: Vec::new(),
    };
    for question in questions(&dashboard(), &choice, &["crm"]) {
        assert_eq!(question.ask(&prometheus).await, [], "{}", question.title);
    }
    for service in fleet {
        service.stop().await;
    }
}
