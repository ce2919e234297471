//! The rules name metrics that exist, and every alert tells people what they need and is tested.

use std::collections::{BTreeMap, BTreeSet};

use alumniq_relay::{cli::Cli, observe::metrics};
use clap::Parser;
use harness::prometheus::{read, shipped};
use serde_json::Value;

/// Labels that Prometheus gives, or that belong to every series.
const EVERYWHERE: [&str; 3] = [metrics::NAMESPACE, "instance", "job"];

/// One rule.
struct Rule {
    /// Of the alert or of what is recorded.
    name: String,
    expression: String,
    rule: Value,
}

impl Rule {
    /// The alert and the labels that tell its rules apart: its severity, and a pause's reason.
    fn variant(&self) -> (String, String, Option<String>) {
        let label = |name: &str| Some(self.rule["labels"].get(name)?.as_str()?.to_owned());
        let severity = label("severity").unwrap_or_default();
        (self.name.clone(), severity, label("reason"))
    }
}

fn rules(file: &str) -> Vec<Rule> {
    let file = read(&shipped("rules").join(file));
    let groups = file["groups"].as_array().unwrap();
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap());
    rules
        .map(|rule| Rule {
            name: ["alert", "record"]
                .iter()
                .find_map(|kind| rule.get(kind)?.as_str())
                .unwrap()
                .to_owned(),
            expression: rule["expr"].as_str().unwrap().to_owned(),
            rule: rule.clone(),
        })
        .collect()
}

fn alerts() -> Vec<Rule> {
    rules("alerts.yml")
}

/// The names in an expression, each with what follows it.
fn names(expression: &str) -> Vec<(&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut names = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(is_part) {
        let length = rest[start..].find(|c| !is_part(c));
        let end = length.map_or(rest.len(), |length| start + length);
        names.push((&rest[start..end], &rest[end..]));
        rest = &rest[end..];
    }
    names
}

/// The labels that a metric has in an expression; `None` where there is no such metric.
fn labels_of(name: &str, recorded: &BTreeSet<String>) -> Option<Vec<String>> {
    if recorded.contains(name) {
        let level = name.split(':').next().unwrap();
        return Some(level.split('_').map(str::to_owned).collect());
    }
    metrics::ALL.iter().find_map(|metric| {
        let suffix = name.strip_prefix(metric.name)?;
        let own = metric.labels.iter().map(|label| label.name);
        let bucket: &[&str] = match (metric.kind, suffix) {
            (metrics::MetricKind::Histogram, "_bucket") => &["le"],
            (metrics::MetricKind::Histogram, "_sum" | "_count") => &[],
            (metrics::MetricKind::Counter | metrics::MetricKind::Gauge, "") => &[],
            _ => return None,
        };
        let labels = own.chain(EVERYWHERE).chain(bucket.iter().copied());
        Some(labels.map(str::to_owned).collect())
    })
}

/// The labels in `{…}`, where that comes next.
fn selected(rest: &str) -> Vec<&str> {
    let Some((selector, _)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return Vec::new();
    };
    let matchers = selector.split(',').map(str::trim);
    matchers
        .map(|matcher| matcher.split(['=', '!']).next().unwrap())
        .collect()
}

#[test]
fn every_rule_names_metrics_that_exist_with_labels_that_they_have() {
    let recording = rules("recording.yml");
    let recorded = recording.iter().map(|rule| rule.name.clone()).collect();
    let alerts = alerts();
    for rule in recording.iter().chain(&alerts) {
        let mut known: BTreeSet<String> = ["role".to_owned()].into(); // by label_replace
        let mut found = 0;
        for (name, rest) in names(&rule.expression) {
            if !name.contains("alumniq_relay_") {
                continue;
            }
            found += 1;
            let labels = labels_of(name, &recorded)
                .unwrap_or_else(|| panic!("{} asks for {name}, which nobody has", rule.name));
            for label in selected(rest) {
                assert!(
                    labels.iter().any(|known| known == label),
                    "{} asks for {name} by {label}",
                    rule.name
                );
            }
            known.extend(labels);
        }
        assert!(found > 0, "{} asks for nothing", rule.name);
        for (word, rest) in names(&rule.expression) {
            let list = rest.trim_start().strip_prefix('(');
            if let (true, Some(list)) = (["by", "on"].contains(&word), list) {
                for label in list.split(')').next().unwrap().split(',').map(str::trim) {
                    assert!(
                        label.is_empty() || known.contains(label),
                        "{} groups by {label}",
                        rule.name
                    );
                }
            }
        }
    }
}

#[test]
fn what_the_fleet_shares_is_never_summed_over_its_processes() {
    let shared: Vec<&str> = metrics::ALL
        .iter()
        .filter(|metric| metric.scope == metrics::Scope::Fleet)
        .map(|metric| metric.name)
        .collect();
    for rule in rules("recording.yml").iter().chain(&alerts()) {
        let words = names(&rule.expression);
        for (at, (word, _)) in words.iter().enumerate() {
            // `sum by (labels) (metric`: the first metric after the aggregation is what it aggregates.
            if ["sum", "count", "avg"].contains(word) {
                let metric = words[at..]
                    .iter()
                    .find(|(word, _)| word.contains("alumniq_relay_"));
                assert!(
                    metric.is_none_or(|(name, _)| !shared.contains(name)),
                    "{} adds up {metric:?}",
                    rule.name
                );
            }
        }
    }
}

#[test]
fn every_alert_tells_what_it_is_what_it_means_and_what_to_do() {
    for alert in alerts() {
        let name = &alert.name;
        let annotation = |key: &str| {
            let text = alert.rule["annotations"][key].as_str();
            text.unwrap_or_else(|| panic!("{name} has no {key}"))
        };
        let summary = annotation("summary");
        assert!(summary.contains("$labels.namespace"), "{name}: {summary}");
        assert!(annotation("description").ends_with('.'), "{name}");
        let page = "{{ $externalLabels.relay_url }}/runbook#";
        let expected = format!("{page}{}", name.to_lowercase());
        assert_eq!(annotation("runbook_url"), expected, "{name}");
        let severity = alert.rule["labels"]["severity"].as_str();
        assert!(matches!(severity, Some("page" | "ticket")), "{name}");
        let commands = commands(annotation("action"));
        assert!(
            commands.iter().all(|command| understood(command)),
            "{name}: the program understands not all of {commands:?}"
        );
    }
}

/// What stands between backticks and calls the program, with something in the place of each placeholder.
fn commands(action: &str) -> Vec<String> {
    let quoted = action.split('`').skip(1).step_by(2);
    let commands = quoted.filter(|quoted| quoted.starts_with("alumniq-relay "));
    commands
        .map(|command| {
            [
                ("{{ $labels.destination }}", "crm"),
                ("{{ $labels.role }}", "crm"),
                ("CHANGE_ID", "9500"),
                ("CLASS", "unmatched"),
                ("DATE", "2026-11-21"),
                ("TEXT", "text"),
                (" ID", " 9500"),
            ]
            .iter()
            .fold(command.to_owned(), |command, (name, value)| {
                command.replace(name, value)
            })
        })
        .collect()
}

fn understood(command: &str) -> bool {
    Cli::try_parse_from(command.split(' ')).is_ok()
}

#[test]
fn every_alert_is_tested_when_it_fires_and_when_it_stays_silent() {
    // By alert: the labels of what is expected to fire at each moment that a test looks at.
    let mut tested: BTreeMap<String, Vec<Vec<Value>>> = BTreeMap::new();
    for file in std::fs::read_dir(shipped("tests")).unwrap() {
        let file = read(&file.unwrap().path());
        for test in file["tests"].as_array().unwrap() {
            for look in test["alert_rule_test"].as_array().into_iter().flatten() {
                let expected = look["exp_alerts"].as_array().into_iter().flatten();
                let labels = expected.map(|alert| alert["exp_labels"].clone()).collect();
                let alert = look["alertname"].as_str().unwrap().to_owned();
                tested.entry(alert).or_default().push(labels);
            }
        }
    }
    for alert in alerts() {
        let (name, severity, reason) = alert.variant();
        let looks = tested
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is not tested"));
        let fires = |look: &Vec<Value>| {
            look.iter().any(|labels| {
                labels["severity"] == severity.as_str()
                    && reason
                        .as_ref()
                        .is_none_or(|reason| labels["reason"] == reason.as_str())
            })
        };
        assert!(
            looks.iter().any(fires),
            "no test sees {name} fire as {severity} {reason:?}"
        );
        assert!(
            looks.iter().any(Vec::is_empty),
            "no test sees {name} silent"
        );
    }
}

#[test]
fn the_documents_list_every_alert_with_its_severity_and_how_long_it_waits() {
    let document = include_str!("../../../deploy/README.md");
    let section = document
        .split_once("<!-- alerts:begin -->\n")
        .and_then(|(_, rest)| rest.split_once("<!-- alerts:end -->"))
        .unwrap()
        .0;
    let rows = section.lines().skip(2); // the table's head
    let listed: Vec<String> = rows
        .map(|row| row.splitn(5, " | ").take(3).collect::<Vec<_>>().join(" | "))
        .collect();
    let expected: Vec<String> = alerts()
        .iter()
        .map(|alert| {
            let wait = alert.rule.get("for").and_then(Value::as_str).unwrap_or("–");
            let (name, severity, reason) = alert.variant();
            let reason = reason.map_or(String::new(), |reason| format!(" ({reason})"));
            format!("| `{name}`{reason} | {severity} | {wait}")
        })
        .collect();
    assert_eq!(listed, expected, "\n{}\n", expected.join("\n"));
}
