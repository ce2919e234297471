//! Where panels stand, what can be chosen above them, and how Grafana finds the dashboard.

use std::collections::BTreeSet;

use harness::prometheus::{read, shipped};
use serde_json::{Value, json};

use super::{dashboard, expressions, model::has_keys, panels, path, text};

/// How many units of height a screen of 1080 lines shows.
const ONE_SCREEN: u64 = 21;

/// Left, top, right, bottom.
fn place(panel: &Value) -> [u64; 4] {
    has_keys(&panel["gridPos"], &["h", "w", "x", "y"], &[]);
    let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
    assert!(w > 0 && h > 0, "{panel:#}");
    [x, y, x + w, y + h]
}

#[test]
fn panels_fill_24_columns_without_an_overlap_and_the_first_row_is_one_screen() {
    let dashboard = dashboard();
    let mut covered = BTreeSet::new();
    for panel in panels(&dashboard) {
        let [left, top, right, bottom] = place(panel);
        assert!(right <= 24, "{panel:#}");
        if panel["type"] == "row" {
            assert_eq!([left, right, bottom - top], [0, 24, 1], "{panel:#}");
        }
        for cell in (left..right).flat_map(|x| (top..bottom).map(move |y| (x, y))) {
            assert!(covered.insert(cell), "{} lies over another", panel["title"]);
        }
    }
    let height = covered.iter().map(|(_, y)| y + 1).max().unwrap();
    assert_eq!(covered.len() as u64, 24 * height, "there are holes");
    let rows: Vec<&Value> = panels(&dashboard)
        .iter()
        .filter(|panel| panel["type"] == "row")
        .collect();
    assert_eq!(place(rows[0])[1], 0, "the answer comes first");
    assert!(
        place(rows[1])[1] <= ONE_SCREEN,
        "the answer needs more than a screen"
    );
}

#[test]
fn every_variable_that_is_used_exists_and_each_that_exists_is_used() {
    let text = text();
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: BTreeSet<&str> = variables
        .iter()
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        BTreeSet::from([
            "datasource",
            "destination",
            "instance",
            "namespace",
            "relay_url"
        ])
    );
    let mut used = BTreeSet::new();
    for rest in text.split('$').skip(1) {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap();
        let name = &rest[..end];
        if name.is_empty() {
            // The end of a pattern.
            continue;
        }
        // The first group of a label_replace, and what Grafana itself fills in.
        let own = name == "1"
            || matches!(
                name,
                "__rate_interval" | "__range" | "__all" | "__data" | "__value"
            );
        assert!(own || names.contains(name), "there is no variable {name}");
        used.insert(name);
    }
    for name in &names {
        assert!(
            used.contains(name) || *name == "destination",
            "nobody uses {name}"
        );
    }
    for variable in variables {
        has_keys(
            variable,
            &[
                "current",
                "description",
                "hide",
                "label",
                "name",
                "options",
                "query",
                "skipUrlSync",
                "type",
            ],
            &[
                "allValue",
                "datasource",
                "definition",
                "includeAll",
                "multi",
                "refresh",
                "regex",
                "sort",
            ],
        );
        if variable["type"] == "query" {
            assert_eq!(
                variable["query"]["query"], variable["definition"],
                "{variable:#}"
            );
            let choice = ["multi", "includeAll"].map(|key| variable[key].as_bool().unwrap());
            assert_eq!(
                (choice, &variable["allValue"]),
                ([true, true], &json!(".*")),
                "{variable:#}"
            );
        }
    }
    let repeated: Vec<&Value> = panels(&dashboard)
        .iter()
        .filter_map(|panel| panel.get("repeat"))
        .collect();
    assert_eq!(repeated, ["destination"]);
    for (title, expression) in expressions(&dashboard) {
        assert!(
            !expression.contains(":regex}"),
            "{title}: Grafana escapes for PromQL only what names no format"
        );
    }
}

#[test]
fn grafana_is_told_where_the_dashboard_lies_and_whom_it_asks() {
    let source = read(&path("provisioning/datasources/prometheus.yaml"));
    let source = &source["datasources"][0];
    assert_eq!(source["type"], "prometheus");
    assert_eq!(source["url"], "${PROMETHEUS_URL}");
    let scraped = read(&shipped("prometheus.yml"));
    assert_eq!(
        source["jsonData"]["timeInterval"],
        scraped["global"]["scrape_interval"]
    );
    let provider = read(&path("provisioning/dashboards/alumniq-relay.yaml"));
    let provider = &provider["providers"][0];
    assert_eq!(
        (&provider["type"], &provider["options"]["path"]),
        (&json!("file"), &json!("/etc/grafana/dashboards"))
    );
}
