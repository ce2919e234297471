//! What the dashboard asks for exists, is added up as it may be, and every code has its words.

use std::collections::BTreeSet;

use alumniq_relay::observe::metrics::{ALL, Definition, Kind, NAMESPACE, Scope};
use jobs::outcome::{DeadClass, PauseReason};
use serde_json::Value;

use super::{
    dashboard, expressions, panel,
    promql::{Selector, selectors},
    targets,
};

/// What a selector's name stands for; a histogram has three names.
#[track_caller]
fn defined(metric: &str) -> (&'static Definition, bool) {
    let bucket = metric.ends_with("_bucket");
    let found = ALL.iter().find(|definition| {
        let rest = metric.strip_prefix(definition.name);
        match definition.kind {
            Kind::Histogram => {
                rest.is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest))
            }
            Kind::Counter | Kind::Gauge => rest == Some(""),
        }
    });
    (
        found.unwrap_or_else(|| panic!("there is no metric {metric}")),
        bucket,
    )
}

fn every_selector(mut check: impl FnMut(&str, &Selector, &'static Definition, bool)) {
    let dashboard = dashboard();
    let mut checked = 0;
    for (title, expression) in expressions(&dashboard) {
        let selectors = selectors(expression);
        assert!(!selectors.is_empty(), "{title} asks for nothing of ours");
        for selector in selectors {
            let (definition, bucket) = defined(&selector.metric);
            check(title, &selector, definition, bucket);
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn every_metric_exists_with_the_labels_and_values_by_which_it_is_chosen_and_kept() {
    every_selector(|title, selector, definition, bucket| {
        let known = |label: &str| {
            let own = definition.labels.iter().any(|own| own.name == label);
            own || label == NAMESPACE
                || (bucket && label == "le")
                || (definition.scope == Scope::Process && label == "instance")
        };
        let (_, kept) = selector.aggregated.as_ref().unwrap();
        for label in selector.matchers.keys().chain(kept) {
            assert!(known(label), "{title}: {} has no {label}", selector.metric);
        }
        for (label, (operator, text)) in &selector.matchers {
            let own = definition.labels.iter().find(|own| own.name == label);
            let (Some(values), false) = (own.and_then(|own| own.values), text.contains('$')) else {
                continue;
            };
            let values = values();
            let regular = operator.contains('~');
            for value in text.split(|c| regular && c == '|') {
                assert!(values.contains(&value), "{title}: no {label} is {value}");
            }
        }
    });
}

#[test]
fn what_the_fleet_shares_is_never_summed_over_processes_and_what_processes_count_always_is() {
    every_selector(|title, selector, definition, _| {
        let (how, _) = selector.aggregated.as_ref().unwrap_or_else(|| {
            panic!("{title}: {} is shown once a process", selector.metric);
        });
        let allowed: &[&str] = match (definition.scope, definition.kind) {
            (Scope::Fleet, _) => &["max"],
            (Scope::Process, Kind::Gauge) => &["max", "count"],
            (Scope::Process, Kind::Counter | Kind::Histogram) => &["sum"],
        };
        assert!(
            allowed.contains(&how.as_str()),
            "{title}: {how} of {}",
            selector.metric
        );
    });
}

#[test]
fn the_namespace_narrows_everything_and_the_process_what_processes_count_for_themselves() {
    let chosen = |variable: &str| Some(("=~".to_owned(), variable.to_owned()));
    every_selector(|title, selector, definition, _| {
        let by = |label: &str| selector.matchers.get(label).cloned();
        assert_eq!(by(NAMESPACE), chosen("$namespace"), "{title}: {selector:?}");
        match (definition.scope, definition.kind) {
            (Scope::Fleet, _) => assert_eq!(by("instance"), None, "{title}: {selector:?}"),
            (Scope::Process, Kind::Counter | Kind::Histogram) => {
                assert_eq!(by("instance"), chosen("$instance"), "{title}: {selector:?}");
            }
            // The first screen speaks of the whole fleet, whichever process is chosen.
            (Scope::Process, Kind::Gauge) => {}
        }
    });
}

/// The keys of every value mapping below `value`, each set by itself.
fn mappings(value: &Value, found: &mut Vec<BTreeSet<String>>) {
    match value {
        Value::Object(fields) => {
            if fields.get("type") == Some(&Value::from("value")) {
                let options = fields["options"].as_object().unwrap();
                found.push(options.keys().cloned().collect());
            }
            fields.values().for_each(|value| mappings(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| mappings(value, found)),
        _ => {}
    }
}

#[track_caller]
fn some_mapping_has<'a>(title: &str, codes: impl IntoIterator<Item = &'a str>) {
    let dashboard = dashboard();
    let mut found = Vec::new();
    mappings(panel(&dashboard, title), &mut found);
    let codes: BTreeSet<String> = codes.into_iter().map(str::to_owned).collect();
    assert!(
        found.iter().any(|mapping| codes.is_subset(mapping)),
        "{title} does not know all of {codes:?}: {found:?}"
    );
}

const STUCK: &str = "Where does it stick, since when, whose is it?";

#[test]
fn every_class_of_dead_letters_has_its_remedy_and_every_pause_its_culprit() {
    some_mapping_has(
        "Needs a person, by class",
        DeadClass::ALL.map(DeadClass::as_str),
    );
    some_mapping_has(STUCK, PauseReason::ALL.map(PauseReason::as_str));
}

#[test]
fn every_reason_has_its_place_and_its_colour_on_each_timeline_of_pauses() {
    let dashboard = dashboard();
    for title in ["When it stuck", "Calls held", "Acknowledging held"] {
        let expression = targets(panel(&dashboard, title))[0]["expr"]
            .as_str()
            .unwrap();
        let mut reasons: Vec<String> = selectors(expression)
            .into_iter()
            .map(|selector| selector.matchers["reason"].1.clone())
            .collect();
        reasons.sort();
        let mut all = PauseReason::ALL.map(PauseReason::as_str);
        all.sort_unstable();
        assert_eq!(reasons, all, "{title}");
        some_mapping_has(title, ["0", "1", "2", "3", "4"]);
    }
}

/// The codes that the query for what is stuck writes into a label.
fn codes<'a>(expression: &'a str, label: &str) -> Vec<&'a str> {
    let place = format!("\"{label}\", \"");
    let values = expression
        .match_indices(place.as_str())
        .map(|(at, place)| expression[at + place.len()..].split('"').next().unwrap());
    // The others are copied from another label, or patterns that copy this one.
    values.filter(|value| !value.contains(['$', '('])).collect()
}

#[test]
fn every_link_of_a_line_leads_to_a_section_of_the_runbook() {
    let runbook = std::fs::read_to_string(super::path("../runbook.md")).unwrap();
    let sections: BTreeSet<String> = runbook
        .lines()
        .filter_map(|line| {
            line.trim_start_matches('#')
                .strip_prefix(' ')
                .filter(|_| line.starts_with('#'))
        })
        .map(str::to_lowercase)
        .collect();
    let dashboard = dashboard();
    let expression = targets(panel(&dashboard, STUCK))[0]["expr"]
        .as_str()
        .unwrap();
    let alerts = codes(expression, "what")
        .into_iter()
        .map(|what| format!("alumniqrelay{what}"));
    let reasons = PauseReason::ALL.map(|reason| reason.as_str().to_owned());
    let classes = DeadClass::ALL.map(|class| class.as_str().to_owned());
    for section in alerts.chain(reasons).chain(classes) {
        assert!(sections.contains(&section), "no section {section}");
    }
}

#[test]
fn every_trouble_that_the_query_names_has_its_words() {
    let dashboard = dashboard();
    let expression = targets(panel(&dashboard, STUCK))[0]["expr"]
        .as_str()
        .unwrap();
    assert!(
        codes(expression, "what").len() > 5,
        "{:?}",
        codes(expression, "what")
    );
    some_mapping_has(STUCK, codes(expression, "what"));
    some_mapping_has(STUCK, codes(expression, "where"));
    some_mapping_has(
        "Is everything through?",
        ["0", "1", "2", "3", "4", "5", "6"],
    );
}
