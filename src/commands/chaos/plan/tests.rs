use std::collections::{BTreeMap, HashSet};

use clap::ValueEnum;

use super::*;

fn wanted(faults: &[Fault]) -> Wanted {
    Wanted {
        changes: 3_000,
        workers: 4,
        lease: Duration::from_secs(2),
        outage: Duration::from_secs(15),
        faults: faults.iter().copied().collect(),
    }
}

fn plans() -> impl Iterator<Item = Plan> {
    (0..300).map(|seed| Plan::draw(seed, &wanted(Fault::value_variants())))
}

#[test]
fn the_same_seed_draws_the_same_plan_and_another_seed_another() {
    let draw = |seed| Plan::draw(seed, &wanted(Fault::value_variants()));
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

#[test]
fn every_fault_happens_in_every_plan_and_none_that_is_not_wanted() {
    let happens = |plan: &Plan| -> HashSet<_> {
        let kind = |step: &Step| std::mem::discriminant(&step.act);
        plan.steps.iter().map(kind).collect()
    };
    // Every act there is: the enum has so many.
    for plan in plans() {
        assert_eq!(happens(&plan).len(), 14, "{plan:?}");
    }
    let plan = Plan::draw(1, &wanted(&[Fault::Kill]));
    assert_eq!(happens(&plan).len(), 2, "kills and waves: {plan:?}");
    let plan = Plan::draw(1, &wanted(&[Fault::RedisEmpty]));
    let emptied = plan.steps.iter().filter(|step| step.act == Act::EmptyRedis);
    assert_eq!(emptied.count(), 1);
    let plan = Plan::draw(1, &wanted(&[]));
    assert_eq!((plan.first_changes, plan.steps.len()), (3_000, 0));
}

#[test]
fn all_changes_are_published_and_the_last_ones_late() {
    for plan in plans() {
        let waves: usize = plan.steps.iter().map(published).sum();
        assert_eq!(plan.first_changes + waves, 3_000);
        let last = plan.steps.last().unwrap().at;
        let wave = plan.steps.iter().rfind(|step| published(step) > 0).unwrap();
        assert!(wave.at + 2 * WAVES > last, "{plan:?}");
    }
}

fn published(step: &Step) -> usize {
    match step.act {
        Act::Publish(changes) => changes,
        _ => 0,
    }
}

/// Walks through the plan; `down` holds what is not up.
fn walk(plan: &Plan, mut look: impl FnMut(&BTreeMap<String, Duration>, &Step)) {
    let mut down = BTreeMap::new();
    for step in &plan.steps {
        look(&down, step);
        match step.act {
            Act::Stop(worker) => down.insert(format!("process {worker}"), step.at),
            Act::Continue(worker) => down.remove(&format!("process {worker}")),
            Act::Shut(vendor) | Act::Fail(vendor) => down.insert(name(vendor).to_owned(), step.at),
            Act::Open(vendor) | Act::Mend(vendor) => down.remove(name(vendor)),
            Act::FillRedis => down.insert("redis".to_owned(), step.at),
            Act::FreeRedis => down.remove("redis"),
            _ => None,
        };
    }
    assert!(down.is_empty(), "what is down comes back: {down:?}");
}

#[test]
fn a_process_is_stopped_for_longer_than_its_leases_and_never_every_one() {
    for plan in plans() {
        walk(&plan, |down, step| {
            let asleep = |worker| down.get(&format!("process {worker}"));
            match step.act {
                Act::Continue(worker) => {
                    let since = asleep(worker).unwrap();
                    assert!(step.at - *since > Duration::from_secs(3));
                }
                Act::Stop(worker) => {
                    assert!(asleep(worker).is_none());
                    assert!((0..4).filter(|worker| asleep(*worker).is_some()).count() < 3);
                }
                Act::Kill(worker) => assert!(asleep(worker).is_none()),
                Act::EmptyRedis => assert!((0..4).all(|worker| asleep(worker).is_none())),
                _ => {}
            }
        });
    }
}

#[test]
fn one_destination_is_always_up_and_redis_is_disturbed_in_one_way_at_a_time() {
    for plan in plans() {
        walk(&plan, |down, step| match step.act {
            Act::Shut(Vendor::Crm) | Act::Fail(Vendor::Crm) => {
                assert!(!down.contains_key("Salsa") && !down.contains_key("the CRM"));
            }
            Act::Shut(Vendor::Salsa) | Act::Fail(Vendor::Salsa) => {
                assert!(!down.contains_key("Salsa") && !down.contains_key("the CRM"));
            }
            Act::RestartRedis | Act::KillRedis | Act::EmptyRedis | Act::FillRedis => {
                assert!(!down.contains_key("redis"));
            }
            _ => {}
        });
    }
}
