//! What is shipped in `deploy/grafana`: the dashboard's form, what it asks for, and what a real Prometheus answers.
//!
//! - `model`, `layout`: the JSON that Grafana imports; `meaning`: its metrics, labels and codes, held against the code
//! - `asking`: a panel's queries as Grafana sends them; `answers`: what comes back from a fleet that has seen trouble
//! - `screen`: the first screen says what is so, from "everything is through" to a fleet that is gone

mod answers;
mod asking;
mod layout;
mod meaning;
mod model;
mod screen;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file under `deploy/grafana`.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy/grafana")
        .join(name)
}

/// The dashboard as it is shipped.
fn text() -> String {
    std::fs::read_to_string(path("dashboards/alumniq-relay.json")).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&text()).unwrap()
}

/// Every panel, rows included.
fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

/// The panel with this title.
#[track_caller]
fn panel<'a>(dashboard: &'a Value, title: &str) -> &'a Value {
    let mut found = panels(dashboard)
        .iter()
        .filter(|panel| panel["title"] == title && panel["type"] != "row");
    let panel = found.next().unwrap_or_else(|| panic!("no panel {title}"));
    assert!(found.next().is_none(), "two panels {title}");
    panel
}

/// A panel's queries; a row has none.
fn targets(panel: &Value) -> &[Value] {
    panel["targets"].as_array().map_or(&[], Vec::as_slice)
}

/// Every expression with the title of what asks for it, the annotations' included.
fn expressions(dashboard: &Value) -> Vec<(&str, &str)> {
    let asked = panels(dashboard).iter().flat_map(|panel| {
        targets(panel)
            .iter()
            .map(move |target| (&panel["title"], target))
    });
    let annotations = dashboard["annotations"]["list"].as_array().unwrap().iter();
    asked
        .chain(annotations.map(|annotation| (&annotation["name"], annotation)))
        .filter_map(|(title, asks)| Some((title.as_str()?, asks["expr"].as_str()?)))
        .collect()
}
