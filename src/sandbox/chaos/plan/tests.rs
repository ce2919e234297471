use std::collections::{BTreeMap, HashSet};

use super::*;

fn wanted(faults: &[ChaosFault]) -> ChaosParameters {
    ChaosParameters {
        changes: 3_000,
        workers: 4,
        lease: Duration::from_secs(2),
        outage: Duration::from_secs(15),
        faults: faults.iter().copied().collect(),
    }
}

fn plans() -> impl Iterator<Item = ChaosPlan> {
    (0..300).map(|seed| ChaosPlan::draw(seed, &wanted(&ChaosFault::ALL)))
}

#[test]
fn the_same_seed_draws_the_same_plan_and_another_seed_another() {
    let draw = |seed| ChaosPlan::draw(seed, &wanted(&ChaosFault::ALL));
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

#[test]
fn every_fault_happens_in_every_plan_and_none_that_is_not_wanted() {
    let happens = |plan: &ChaosPlan| -> HashSet<_> {
        let kind = |step: &PlannedAct| std::mem::discriminant(&step.act);
        plan.steps.iter().map(kind).collect()
    };
    // Every act there is: the enum has so many.
    for plan in plans() {
        assert_eq!(happens(&plan).len(), 14, "{plan:?}");
    }
    let plan = ChaosPlan::draw(1, &wanted(&[ChaosFault::Kill]));
    assert_eq!(happens(&plan).len(), 2, "kills and waves: {plan:?}");
    let plan = ChaosPlan::draw(1, &wanted(&[ChaosFault::RedisEmpty]));
    let emptied = plan
        .steps
        .iter()
        .filter(|step| step.act == ChaosAct::EmptyRedis);
    assert_eq!(emptied.count(), 1);
    let plan = ChaosPlan::draw(1, &wanted(&[]));
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

fn published(step: &PlannedAct) -> usize {
    match step.act {
        ChaosAct::Publish(changes) => changes,
        _ => 0,
    }
}

/// Walks through the plan; `down` holds what is not up.
fn walk(plan: &ChaosPlan, mut look: impl FnMut(&BTreeMap<String, Duration>, &PlannedAct)) {
    let mut down = BTreeMap::new();
    for step in &plan.steps {
        look(&down, step);
        match step.act {
            ChaosAct::Stop(worker) => down.insert(format!("process {worker}"), step.at),
            ChaosAct::Continue(worker) => down.remove(&format!("process {worker}")),
            ChaosAct::Shut(vendor) | ChaosAct::Fail(vendor) => {
                down.insert(name(vendor).to_owned(), step.at)
            }
            ChaosAct::Open(vendor) | ChaosAct::Mend(vendor) => down.remove(name(vendor)),
            ChaosAct::FillRedis => down.insert("redis".to_owned(), step.at),
            ChaosAct::FreeRedis => down.remove("redis"),
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
                ChaosAct::Continue(worker) => {
                    let since = asleep(worker).unwrap();
                    assert!(step.at - *since > Duration::from_secs(3));
                }
                ChaosAct::Stop(worker) => {
                    assert!(asleep(worker).is_none());
                    assert!((0..4).filter(|worker| asleep(*worker).is_some()).count() < 3);
                }
                ChaosAct::Kill(worker) => assert!(asleep(worker).is_none()),
                ChaosAct::EmptyRedis => assert!((0..4).all(|worker| asleep(worker).is_none())),
                _ => {}
            }
        });
    }
}

#[test]
fn one_destination_is_always_up_and_redis_is_disturbed_in_one_way_at_a_time() {
    for plan in plans() {
        walk(&plan, |down, step| match step.act {
            ChaosAct::Shut(Vendor::Crm) | ChaosAct::Fail(Vendor::Crm) => {
                assert!(!down.contains_key("Salsa") && !down.contains_key("the CRM"));
            }
            ChaosAct::Shut(Vendor::Salsa) | ChaosAct::Fail(Vendor::Salsa) => {
                assert!(!down.contains_key("Salsa") && !down.contains_key("the CRM"));
            }
            ChaosAct::RestartRedis
            | ChaosAct::KillRedis
            | ChaosAct::EmptyRedis
            | ChaosAct::FillRedis => {
                assert!(!down.contains_key("redis"));
            }
            _ => {}
        });
    }
}
