//! What the dashboard asks for exists and is narrowed by what was chosen, and every code has its words.

use std::collections::BTreeSet;

use alumniq_relay::observe::metrics::{ALL, MetricDefinition, MetricKind, NAMESPACE, Scope};
use jobs::outcome::{DeadClass, PauseReason};
use serde_json::Value;

use super::{dashboard, expressions, panel, targets};

/// The metrics that an expression names, as often as it does; a histogram has three names.
#[track_caller]
pub fn metrics(expression: &str) -> Vec<&'static MetricDefinition> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("alumniq_relay_"));
    let defined = names.map(|name| {
        let found = ALL
            .iter()
            .copied()
            .find(|definition| match definition.kind {
                MetricKind::Histogram => ["_bucket", "_sum", "_count"]
                    .iter()
                    .any(|part| name.strip_suffix(part) == Some(definition.name)),
                MetricKind::Counter | MetricKind::Gauge => name == definition.name,
            });
        found.unwrap_or_else(|| panic!("there is no metric {name}"))
    });
    defined.collect()
}

/// Every text that `label` is compared with.
fn compared<'a>(expression: &'a str, label: &str) -> Vec<&'a str> {
    let mut texts = Vec::new();
    for operator in ["=", "!=", "=~", "!~"] {
        let beginning = format!("{label}{operator}\"");
        let ends = expression.split(beginning.as_str()).skip(1);
        texts.extend(ends.filter_map(|end| end.split('"').next()));
    }
    texts
}

#[test]
fn every_metric_exists_with_the_values_by_which_it_is_chosen() {
    let dashboard = dashboard();
    let mut checked = 0;
    for (title, expression) in expressions(&dashboard) {
        let metrics = metrics(expression);
        assert!(!metrics.is_empty(), "{title} asks for nothing of ours");
        for label in metrics.iter().flat_map(|metric| metric.labels) {
            let Some(values) = label.values else { continue };
            let texts = compared(expression, label.name).into_iter();
            for value in texts.flat_map(|text| text.split('|')) {
                let is_known = value.contains('$') || values().contains(&value);
                assert!(is_known, "{title}: no {} is {value}", label.name);
                checked += 1;
            }
        }
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn the_namespace_narrows_everything_and_the_process_what_processes_count_for_themselves() {
    let dashboard = dashboard();
    for (title, expression) in expressions(&dashboard) {
        let metrics = metrics(expression);
        let narrowed = |label: &str| {
            let texts = compared(expression, label).into_iter();
            texts.filter(|text| *text == format!("${label}")).count()
        };
        assert_eq!(narrowed(NAMESPACE), metrics.len(), "{title}");
        let own = |kinds: &[MetricKind]| {
            let own = metrics.iter().filter(|metric| {
                matches!(metric.scope, Scope::Process) && kinds.contains(&metric.kind)
            });
            own.count()
        };
        // The first screen speaks of the whole fleet, whichever process is chosen.
        let (counted, gauges) = (
            own(&[MetricKind::Counter, MetricKind::Histogram]),
            own(&[MetricKind::Gauge]),
        );
        assert!(
            (counted..=counted + gauges).contains(&narrowed("instance")),
            "{title}"
        );
    }
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
        let mut reasons = compared(expression, "reason");
        reasons.sort_unstable();
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
