//! What Grafana sends to Prometheus when somebody looks at the dashboard.

use std::collections::{BTreeMap, BTreeSet};

use harness::prometheus::Prometheus;
use serde_json::Value;

use super::{panels, targets};

/// How far the dashboard looks back here, and over what it takes rates, in seconds: scrapes are a second apart.
const RANGE: u64 = 60;
const RATE_INTERVAL: u64 = 10;

/// What was chosen on top of the dashboard.
#[derive(Debug, Clone)]
pub struct Choice {
    pub namespaces: Vec<String>,
    pub instances: Vec<String>,
}

/// One query of one panel. `destination` is the row's, where the row is repeated.
#[derive(Debug, Clone)]
pub struct Question {
    pub title: String,
    pub expression: String,
    pub legend: String,
    pub instant: bool,
    /// The columns of a table, as Prometheus calls them.
    pub columns: Vec<String>,
}

/// A series of an answer: its labels and its numbers.
pub type Series = (BTreeMap<String, String>, Vec<f64>);

impl Choice {
    /// With every variable of the expression filled in as Grafana does it for Prometheus.
    pub fn fill(&self, expression: &str, destination: &str) -> String {
        expression
            .replace("$__rate_interval", &format!("{RATE_INTERVAL}s"))
            .replace("$__range", &format!("{RANGE}s"))
            .replace("$namespace", &any_of(&self.namespaces))
            .replace("$instance", &any_of(&self.instances))
            .replace("$destination", destination)
    }
}

/// A choice of none in particular is the variable's own pattern for all.
fn any_of(values: &[String]) -> String {
    if values.is_empty() {
        return ".*".to_owned();
    }
    // The string's own escape comes on top of the pattern's.
    let escaped = values.iter().map(|value| value.replace('.', "\\\\."));
    format!("({})", escaped.collect::<Vec<_>>().join("|"))
}

/// Every query that the dashboard sends: a repeated row's once for each destination, the annotations' too.
pub fn questions(dashboard: &Value, choice: &Choice, destinations: &[&str]) -> Vec<Question> {
    let mut questions = Vec::new();
    let mut repeated = false;
    for panel in panels(dashboard) {
        if panel["type"] == "row" {
            repeated = panel.get("repeat").is_some();
        }
        let columns = panel["transformations"][0]["options"]["indexByName"].as_object();
        let columns = columns.map(|columns| columns.keys().cloned().collect());
        for target in targets(panel) {
            let text = |key: &str| target[key].as_str().unwrap();
            let each: &[&str] = if repeated { destinations } else { &[""] };
            questions.extend(each.iter().map(|destination| Question {
                title: format!("{} {destination} {}", panel["title"], text("refId")),
                expression: choice.fill(text("expr"), destination),
                legend: text("legendFormat").to_owned(),
                instant: target["instant"] == true,
                columns: columns.clone().unwrap_or_default(),
            }));
        }
    }
    for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
        if let Some(expression) = annotation["expr"].as_str() {
            questions.push(Question {
                title: annotation["name"].to_string(),
                expression: choice.fill(expression, ""),
                legend: annotation["titleFormat"].as_str().unwrap().to_owned(),
                instant: false,
                columns: Vec::new(),
            });
        }
    }
    questions
}

impl Question {
    /// The series that Prometheus answers with, without those that have no number.
    pub async fn ask(&self, prometheus: &Prometheus) -> Vec<Series> {
        let now = prometheus.query("time()").await[0].value;
        let (start, end) = ((now - RANGE as f64).to_string(), now.to_string());
        let (path, times): (&str, &[(&str, &str)]) = if self.instant {
            ("query", &[])
        } else {
            (
                "query_range",
                &[("start", &start), ("end", &end), ("step", "1")],
            )
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let request = reqwest::Client::new()
            .post(format!("http://{}/api/v1/{path}", prometheus.address()))
            .form(&[&[("query", self.expression.as_str())], times].concat());
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(
            answer["status"], "success",
            "{}: {answer}\n{}",
            self.title, self.expression
        );
        let result = answer["data"]["result"].as_array().unwrap();
        let series = result.iter().map(series);
        series.filter(|(_, numbers)| !numbers.is_empty()).collect()
    }

    /// Its sum over all series, and what each of `processes` alone would have it be, all at one moment. Rates are taken
    /// over everything that was scraped, because what processes did may be over.
    pub async fn sums(&self, prometheus: &Prometheus, processes: &[String]) -> (f64, Vec<f64>) {
        let told_by = |process: &String| {
            let narrowed = format!("instance=\"{process}\", namespace=~");
            self.expression.replace("namespace=~", &narrowed)
        };
        let expressions = [self.expression.clone()].into_iter();
        let sums = expressions.chain(processes.iter().map(told_by)).enumerate();
        let sums = sums.map(|(at, expression)| {
            let expression = expression.replace(&format!("[{RATE_INTERVAL}s]"), "[1h]");
            format!("label_replace(sum({expression}) or vector(0), \"at\", \"{at}\", \"\", \"\")")
        });
        let question = sums.collect::<Vec<_>>().join(" or ");
        let mut answer = prometheus.query(&question).await;
        answer.sort_by(|a, b| a.labels["at"].cmp(&b.labels["at"]));
        let mut sums = answer.into_iter().map(|sample| sample.value);
        (sums.next().unwrap(), sums.collect())
    }

    /// Fails where a label that the panel shows is not in the answer, or where each process has a series of its own
    /// that the panel does not show as such.
    pub fn labels_are_in(&self, answer: &[Series]) {
        let legend = self.legend.split("{{").skip(1);
        let legend = legend.map(|rest| rest.split_once("}}").unwrap().0);
        let columns = self.columns.iter().map(String::as_str);
        let wanted: BTreeSet<&str> = legend
            .chain(columns.filter(|column| *column != "Value"))
            .collect();
        for (labels, _) in answer {
            for label in ["instance", "job"] {
                assert!(
                    wanted.contains(label) || !labels.contains_key(label),
                    "{}: {labels:?}",
                    self.title
                );
            }
            for label in &wanted {
                assert!(
                    labels.contains_key(*label),
                    "{}: no {label} in {labels:?}",
                    self.title
                );
            }
        }
    }
}

fn series(series: &Value) -> Series {
    let labels = series["metric"].as_object().unwrap().iter();
    let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    let one = series.get("value").into_iter();
    let many = series["values"].as_array().into_iter().flatten();
    let numbers = one.chain(many).map(|pair| pair[1].as_str().unwrap());
    let numbers = numbers.map(|number| number.parse::<f64>().unwrap());
    (
        labels.collect(),
        numbers.filter(|number| number.is_finite()).collect(),
    )
}

#[test]
fn a_choice_is_filled_in_as_a_pattern_within_a_string() {
    let choice = Choice {
        namespaces: vec!["north.campus".to_owned(), "south".to_owned()],
        instances: Vec::new(),
    };
    assert_eq!(
        choice.fill(
            r#"a{n=~"$namespace", i=~"$instance", d="$destination"}[$__rate_interval]"#,
            "crm"
        ),
        r#"a{n=~"(north\\.campus|south)", i=~".*", d="crm"}[10s]"#
    );
}
