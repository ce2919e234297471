//! Metrics: complete, as they are defined, and true.

mod away;
mod file;
mod fleet;

use std::collections::{BTreeMap, BTreeSet};

use alumniq_relay::observe::metrics::{ALL, MetricDefinition, MetricKind, NAMESPACE, Scope};
use harness::{
    exposition::{Exposition, Sample},
    service::Service,
};

const SANDBOX: &str = "sandbox";

async fn scrape(service: &Service) -> Exposition {
    let (status, text) = service.get("/metrics").await;
    assert_eq!(status, 200);
    let exposition = Exposition::parse(&text);
    everything_is_as_defined(&exposition);
    exposition
}

#[track_caller]
fn definition(name: &str) -> &'static MetricDefinition {
    let found = ALL.iter().find(|metric| metric.name == name);
    found.unwrap_or_else(|| panic!("{name} is defined nowhere"))
}

/// No metric that is not defined, no label more or less, no value beside a closed set, and the namespace everywhere.
#[track_caller]
fn everything_is_as_defined(exposition: &Exposition) {
    for sample in &exposition.samples {
        let name = exposition.metric_of(&sample.name);
        let metric = definition(name);
        let kind = format!("{:?}", metric.kind).to_lowercase();
        assert_eq!(exposition.kinds[name], kind, "{name}");
        assert_eq!(
            sample.labels.get(NAMESPACE).map(String::as_str),
            Some(SANDBOX)
        );
        let bound = sample.name.strip_suffix("_bucket").map(|_| "le");
        let defined: BTreeSet<&str> = metric
            .labels
            .iter()
            .map(|label| label.name)
            .chain([NAMESPACE])
            .chain(bound.filter(|_| metric.kind == MetricKind::Histogram))
            .collect();
        let found: BTreeSet<&str> = sample.labels.keys().map(String::as_str).collect();
        assert_eq!(found, defined, "{sample:?}");
        for label in metric.labels {
            if let Some(values) = label.values {
                let value = sample.labels[label.name].as_str();
                assert!(values().contains(&value), "{sample:?}");
            }
        }
    }
}

/// The fleet as one, as PromQL would have it: the sum of what is of scope process, the maximum of what is of scope
/// fleet.
fn as_one(processes: &[Exposition]) -> Exposition {
    let mut one = Exposition::default();
    let mut values: BTreeMap<(String, BTreeMap<String, String>), f64> = BTreeMap::new();
    for process in processes {
        one.kinds.extend(process.kinds.clone());
        for sample in &process.samples {
            let scope = definition(process.metric_of(&sample.name)).scope;
            values
                .entry((sample.name.clone(), sample.labels.clone()))
                .and_modify(|value| match scope {
                    Scope::Process => *value += sample.value,
                    Scope::Fleet => *value = value.max(sample.value),
                })
                .or_insert(sample.value);
        }
    }
    let samples = values.into_iter().map(|((name, labels), value)| Sample {
        name,
        labels,
        value,
    });
    one.samples = samples.collect();
    one
}
