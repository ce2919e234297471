//! The form of the JSON that people import: Grafana's classic dashboard model, as versions 10 and newer read it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{dashboard, panels, targets, text};

/// Of Grafana's list, the units that are used. `suffix:` names one of one's own.
const UNITS: [&str; 7] = [
    "none",
    "short",
    "s",
    "cpm",
    "percentunit",
    "locale",
    "dateTimeFromNow",
];

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// Fails where a required key is missing, or where one is there that the model does not know.
#[track_caller]
pub fn has_keys(value: &Value, required: &[&str], optional: &[&str]) {
    let found = keys(value);
    for key in required {
        assert!(found.contains(key), "no {key} in {value:#}");
    }
    for key in found {
        let known = required.contains(&key) || optional.contains(&key);
        assert!(known, "{key} in {value:#}");
    }
}

fn real_panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    panels(dashboard)
        .iter()
        .filter(|panel| panel["type"] != "row")
}

#[test]
fn the_file_is_sorted_and_indented_by_two_so_that_an_edit_in_grafana_is_a_small_difference() {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let fields: BTreeMap<String, Value> = fields.into_iter().collect();
                let fields = fields.into_iter().map(|(key, value)| (key, sorted(value)));
                Value::Object(fields.collect())
            }
            Value::Array(values) => values.into_iter().map(sorted).collect(),
            other => other,
        }
    }
    let expected = serde_json::to_string_pretty(&sorted(dashboard())).unwrap() + "\n";
    assert!(
        text() == expected,
        "write it as `jq --sort-keys --indent 2` does"
    );
}

#[test]
fn the_dashboard_is_one_that_grafana_10_and_newer_import() {
    let dashboard = dashboard();
    has_keys(
        &dashboard,
        &[
            "annotations",
            "description",
            "editable",
            "fiscalYearStartMonth",
            "graphTooltip",
            "id",
            "links",
            "liveNow",
            "panels",
            "refresh",
            "schemaVersion",
            "tags",
            "templating",
            "time",
            "timepicker",
            "timezone",
            "title",
            "uid",
            "version",
            "weekStart",
        ],
        &[],
    );
    assert_eq!(dashboard["schemaVersion"], 39);
    assert_eq!(dashboard["uid"], "alumniq-relay");
    // Grafana gives it a number of its own.
    assert_eq!(dashboard["id"], Value::Null);
    for link in dashboard["links"].as_array().unwrap() {
        has_keys(
            link,
            &[
                "asDropdown",
                "icon",
                "includeVars",
                "keepTime",
                "tags",
                "targetBlank",
                "title",
                "tooltip",
                "type",
                "url",
            ],
            &[],
        );
    }
    let urls: Vec<&str> = dashboard["links"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|link| link["url"].as_str())
        .collect();
    assert_eq!(urls, ["${relay_url}/", "${relay_url}/runbook"]);
}

#[test]
fn every_panel_has_what_its_kind_needs_and_says_what_it_shows() {
    let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard()) {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel:#}");
        let title = panel["title"].as_str().unwrap();
        let kind = panel["type"].as_str().unwrap();
        if kind == "row" {
            has_keys(
                panel,
                &["collapsed", "gridPos", "id", "panels", "title", "type"],
                &["repeat"],
            );
            assert_eq!(
                (&panel["collapsed"], &panel["panels"]),
                (&json!(false), &json!([]))
            );
            continue;
        }
        assert!(titles.insert(title), "two panels are called {title}");
        has_keys(
            panel,
            &[
                "datasource",
                "description",
                "fieldConfig",
                "gridPos",
                "id",
                "options",
                "targets",
                "title",
                "type",
            ],
            &["transformations"],
        );
        let description = panel["description"].as_str().unwrap();
        assert!(
            description.ends_with('.') && description.len() > 20,
            "{title}: {description}"
        );
        assert_eq!(
            panel["datasource"],
            json!({ "type": "prometheus", "uid": "${datasource}" }),
            "{title}"
        );
        let options: &[&str] = match kind {
            "stat" => &[
                "colorMode",
                "graphMode",
                "justifyMode",
                "orientation",
                "reduceOptions",
                "textMode",
            ],
            "bargauge" => &[
                "displayMode",
                "orientation",
                "reduceOptions",
                "showUnfilled",
                "valueMode",
            ],
            "timeseries" => &["legend", "tooltip"],
            "state-timeline" => &[
                "alignValue",
                "legend",
                "mergeValues",
                "rowHeight",
                "showValue",
                "tooltip",
            ],
            "table" => &["cellHeight", "footer", "showHeader", "sortBy"],
            "heatmap" => &["calculate", "color", "yAxis", "tooltip", "legend"],
            other => panic!("{title} is a {other}"),
        };
        for option in options {
            assert!(
                panel["options"].get(option).is_some(),
                "{title} has no {option}"
            );
        }
    }
}

#[test]
fn every_query_is_one_for_prometheus_with_a_name_and_a_form_that_its_panel_reads() {
    for panel in real_panels(&dashboard()) {
        let title = &panel["title"];
        let mut names = BTreeSet::new();
        assert!(!targets(panel).is_empty(), "{title} asks for nothing");
        for target in targets(panel) {
            has_keys(
                target,
                &[
                    "datasource",
                    "editorMode",
                    "exemplar",
                    "expr",
                    "format",
                    "instant",
                    "legendFormat",
                    "range",
                    "refId",
                ],
                &[],
            );
            assert_eq!(target["datasource"], panel["datasource"], "{title}");
            assert!(names.insert(target["refId"].as_str().unwrap()), "{title}");
            let instant = target["instant"].as_bool().unwrap();
            assert_ne!(target["range"].as_bool().unwrap(), instant, "{title}");
            let form = match panel["type"].as_str().unwrap() {
                "table" => "table",
                "heatmap" => "heatmap",
                _ => "time_series",
            };
            assert_eq!(target["format"], form, "{title}");
            // A table's rows are named by their labels, a line by its legend: "what {{label}}".
            let legend = target["legendFormat"].as_str().unwrap();
            assert_eq!(legend.contains("{{"), form != "table", "{title}");
            let kind = panel["type"].as_str().unwrap();
            assert!(
                !instant || !matches!(kind, "timeseries" | "state-timeline" | "heatmap"),
                "{title}"
            );
            let expression = target["expr"].as_str().unwrap();
            assert_eq!(expression.trim(), expression, "{title}");
        }
    }
}

#[test]
fn values_have_units_colours_and_words_for_their_absence() {
    for panel in real_panels(&dashboard()) {
        let title = &panel["title"];
        let config = &panel["fieldConfig"];
        has_keys(config, &["defaults", "overrides"], &[]);
        let defaults = &config["defaults"];
        assert!(
            !defaults["noValue"].as_str().unwrap_or_default().is_empty(),
            "{title} has no words for nothing"
        );
        let overrides = config["overrides"].as_array().unwrap();
        let properties = overrides
            .iter()
            .flat_map(|one| one["properties"].as_array().unwrap());
        let units = properties
            .filter(|property| property["id"] == "unit")
            .map(|property| &property["value"]);
        for unit in units.chain([&defaults["unit"]]) {
            let unit = unit.as_str().unwrap();
            assert!(
                UNITS.contains(&unit) || unit.starts_with("suffix:"),
                "{title}: {unit}"
            );
        }
        let steps = defaults["thresholds"]["steps"].as_array().unwrap();
        assert_eq!(
            steps[0]["value"],
            Value::Null,
            "{title}: the first step has no beginning"
        );
        let values: Vec<f64> = steps[1..]
            .iter()
            .map(|step| step["value"].as_f64().unwrap())
            .collect();
        assert!(values.is_sorted_by(|a, b| a < b), "{title}: {values:?}");
        for mapping in defaults["mappings"].as_array().unwrap() {
            has_keys(mapping, &["options", "type"], &[]);
            for result in mapping["options"].as_object().unwrap().values() {
                has_keys(result, &["index", "text"], &["color"]);
            }
        }
    }
}

#[test]
fn columns_are_ordered_renamed_and_formatted_by_names_that_exist() {
    for panel in real_panels(&dashboard()) {
        let title = &panel["title"];
        let none = Vec::new();
        let transformations = panel["transformations"].as_array().unwrap_or(&none);
        let mut shown = BTreeSet::new();
        for transformation in transformations {
            assert_eq!(transformation["id"], "organize", "{title}");
            let options = &transformation["options"];
            let ordered = keys(&options["indexByName"]);
            for renamed in options["renameByName"].as_object().unwrap() {
                assert!(ordered.contains(renamed.0.as_str()), "{title}: {renamed:?}");
                shown.insert(renamed.1.as_str().unwrap());
            }
        }
        for one in panel["fieldConfig"]["overrides"].as_array().unwrap() {
            let wanted = one["matcher"]["options"].as_str().unwrap();
            match one["matcher"]["id"].as_str().unwrap() {
                "byName" => assert!(shown.contains(wanted), "{title} has no {wanted}"),
                "byRegexp" => assert!(wanted.starts_with('/') && wanted.ends_with('/'), "{title}"),
                other => panic!("{title}: {other}"),
            }
        }
        for by in panel["options"]["sortBy"].as_array().unwrap_or(&none) {
            assert!(
                shown.contains(by["displayName"].as_str().unwrap()),
                "{title}: {by}"
            );
        }
    }
}
