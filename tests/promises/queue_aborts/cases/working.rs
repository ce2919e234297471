//! Changes come in, and are worked on.

use std::time::Duration;

use harness::namespace::{dead, deferred, exhausted, pause, retry};
use jobs::{
    destination::Destination::{self, Crm, Salsa},
    outcome::DeadClass,
};
use queue::{executor::Transition, lease::Lease};

use super::{Case, case, plain, step};
use crate::queue_aborts::campus::{Campus, Outcome, UNDECODABLE, new_change};

/// Everything that is held ends so.
async fn settle_as(c: &mut Campus, d: Destination, end: Transition) -> Outcome {
    let held = c.progress.leases.iter().filter(|(of, _)| *of == d);
    let ends: Vec<(Lease, Transition)> = held
        .map(|(_, lease)| (lease.clone(), end.clone()))
        .collect();
    assert!(!ends.is_empty(), "nothing is held");
    c.settle_these(d, &ends).await
}

/// The vendor's answers are the same when the settlement is sent again.
async fn settle_calls(c: &mut Campus, d: Destination) -> Outcome {
    let held: Vec<Lease> = c
        .progress
        .leases
        .iter()
        .map(|(_, lease)| lease.clone())
        .collect();
    let before = c.progress.applied.clone();
    let ends: Vec<(Lease, Transition)> = held
        .into_iter()
        .map(|lease| {
            let end = c.call(d, &lease);
            (lease, end)
        })
        .collect();
    c.settle_these(d, &ends)
        .await
        .inspect_err(|_| c.progress.applied = before)
}

/// The expired lease of a worker that died.
async fn dies_with_a_lease(c: &mut Campus, d: Destination) -> Outcome {
    let held = c.claim_for(d, 3, Duration::from_millis(1)).await?;
    assert!(!held.is_empty());
    // Redis' clock: the lease ends a millisecond after it was given.
    let queue = &c.stage.queue;
    let given = queue.now().await?;
    while queue.now().await? < given + 3 {}
    Ok(())
}

pub fn cases() -> Vec<Case> {
    let mut cases = intake();
    cases.extend(claims());
    cases.extend(settlements());
    cases
}

fn intake() -> Vec<Case> {
    vec![
        case(
            "enqueue: new rows",
            step!(c => {
                c.lists("20", Some("ada"));
                c.lists("21", Some("new"));
                c.lists("22", Some("new"));
                c.lists("23", None);
            }),
            step!(c => c.fetch_these(&["20", "21", "22", "23"]).await?),
        ),
        plain("enqueue: known rows", step!(c => c.fetch().await?)),
        case(
            "enqueue: corrected rows",
            step!(c => for id in ["2", "3", "5", "6", "9", "12"] { c.corrects(id); }),
            step!(c => c.fetch_these(&["2", "3", "5", "6", "9", "12"]).await?),
        ),
        case(
            "enqueue: a closed row, corrected",
            step!(c => {
                c.corrects("1");
                c.progress.listed.insert("1".to_owned());
            }),
            step!(c => c.fetch_these(&["1"]).await?),
        ),
        case(
            "enqueue: acknowledged rows, still listed",
            step!(c => {
                for id in ["1", "17"] {
                    c.progress.listed.insert(id.to_owned());
                }
            }),
            step!(c => c.fetch_these(&["1", "17"]).await?),
        ),
        case(
            "enqueue: a row that cannot be read",
            step!(c => c.lists("24", Some("max"))),
            step!(c => {
                let mut change = new_change("24", &c.progress.rows["24"]);
                change.letter = new_change(UNDECODABLE, &c.progress.rows["24"]).letter;
                let queue = &c.stage.queue;
                queue.enqueue(queue.now().await?, &[change]).await?
            }),
        ),
        case(
            "enqueue: an undecodable row, read again",
            step!(c => {
                c.lists("25", Some("ada"));
                c.progress.listed.remove(UNDECODABLE);
            }),
            step!(c => {
                let mut change = new_change("25", &c.progress.rows["25"]);
                change.replaces = Some(UNDECODABLE.to_owned());
                let queue = &c.stage.queue;
                queue.enqueue(queue.now().await?, &[change]).await?
            }),
        ),
    ]
}

fn claims() -> Vec<Case> {
    vec![
        plain(
            "claim",
            step!(c => _ = c.claim_for(Crm, 3, harness::namespace::LONG).await?),
        ),
        case(
            "claim: expired leases",
            step!(c => dies_with_a_lease(c, Salsa).await?),
            step!(c => _ = c.claim_for(Salsa, 2, harness::namespace::LONG).await?),
        ),
        case(
            "claim: the fifth lease that expires",
            step!(c => for _ in 0..5 { dies_with_a_lease(c, Salsa).await?; }),
            step!(c => _ = c.claim_for(Salsa, 2, harness::namespace::LONG).await?),
        ),
        case(
            "claim: an older change than the one that was applied",
            step!(c => {
                c.lists("26", Some("zoe"));
                c.lists("27", Some("zoe"));
                c.fetch_these(&["27"]).await?;
                c.work(Crm).await?;
                c.fetch_these(&["26"]).await?
            }),
            step!(c => _ = c.claim_for(Crm, 3, harness::namespace::LONG).await?),
        ),
        case(
            "renew",
            step!(c => c.claim(Salsa).await?),
            step!(c => {
                let held = c.progress.leases.iter();
                let held: Vec<_> = held.map(|(_, lease)| (lease.lane.clone(), lease.token)).collect();
                c.stage.queue.renew(Salsa, harness::namespace::LONG, &held).await?
            }),
        ),
    ]
}

fn settlements() -> Vec<Case> {
    vec![
        case(
            "settle: done, first destination",
            step!(c => c.claim(Crm).await?),
            step!(c => settle_calls(c, Crm).await?),
        ),
        case(
            "settle: done, last destination",
            step!(c => {
                c.work(Crm).await?;
                c.claim(Salsa).await?
            }),
            step!(c => settle_calls(c, Salsa).await?),
        ),
        case(
            "settle: done, and the row was corrected meanwhile",
            step!(c => {
                c.claim(Salsa).await?;
                for id in ["2", "5", "9", "12"] {
                    c.corrects(id);
                }
                c.fetch().await?
            }),
            step!(c => settle_calls(c, Salsa).await?),
        ),
        case(
            "settle: retry",
            step!(c => c.claim(Crm).await?),
            step!(c => settle_as(c, Crm, retry(1)).await?),
        ),
        case(
            "settle: exhausted",
            step!(c => {
                c.claim(Salsa).await?;
                let mut ends: Vec<_> = std::mem::take(&mut c.progress.leases);
                let (_, first) = ends.remove(0);
                let end = c.call(Salsa, &first);
                // Salsa works: the failures of others are their own.
                c.settle_these(Salsa, &[(first, end)]).await?;
                c.progress.leases = ends
            }),
            step!(c => settle_as(c, Salsa, exhausted(5)).await?),
        ),
        case(
            "settle: defer",
            step!(c => c.claim(Crm).await?),
            step!(c => settle_as(c, Crm, deferred(1)).await?),
        ),
        case(
            "settle: dead",
            step!(c => {
                c.claim(Salsa).await?;
                for (_, lease) in &c.progress.leases {
                    let refused = (lease.change_id.clone(), Salsa.into());
                    c.progress.refused.insert(refused, DeadClass::Rejected);
                }
            }),
            step!(c => settle_as(c, Salsa, dead(DeadClass::Rejected)).await?),
        ),
        case(
            "settle: pause",
            step!(c => c.claim(Crm).await?),
            step!(c => settle_as(c, Crm, pause()).await?),
        ),
        case(
            "settle: release",
            step!(c => c.claim(Crm).await?),
            step!(c => settle_as(c, Crm, Transition::Release).await?),
        ),
        case(
            "settle: abandon",
            step!(c => c.claim(Crm).await?),
            step!(c => settle_as(c, Crm, Transition::Abandon).await?),
        ),
    ]
}
