//! A real Prometheus that scrapes a fleet, with the configuration and the rules that are shipped.
//!
//! The rules wait for minutes and look back over hours. A test cannot, so what Prometheus reads here is made from the
//! shipped files by one change: every duration in them (`for`, ranges like `[5m]`, `offset 1h`) is [`SPEED`] times
//! shorter. Thresholds, labels and texts stay; so do numbers of seconds in expressions, which are ages in real time.
//! From the configuration everything is taken but the intervals, the targets and `relay_url`.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    service::Service,
    waiting::{until, until_true},
};

/// A minute of the rules is a second here.
pub const SPEED: u64 = 60;

/// What is shipped.
pub fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy/prometheus")
        .join(path)
}

/// A YAML file.
pub fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Scrapes every second; ends with its owner.
pub struct Prometheus {
    _server: Child,
    _directory: TempDir,
    address: SocketAddr,
}

/// One series of an instant query.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Prometheus {
    /// Starts it and waits until it has scraped every process.
    pub async fn start(fleet: &[&Service]) -> Self {
        Self::start_with(fleet, &json!({})).await
    }

    /// The same, with more in the job that scrapes them (`authorization`, …).
    pub async fn start_with(fleet: &[&Service], job: &Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        write_configuration(directory.path(), fleet, job);
        let log = directory.path().join("prometheus.log");
        let server = Command::new("prometheus")
            .current_dir(&directory)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus is installed: deploy/test.sh does it");
        let address = until("Prometheus says where it listens", async || {
            let log = std::fs::read_to_string(&log).unwrap();
            // Version 3 writes `level=ERROR`, and `component=web` before the address.
            assert!(!log.to_lowercase().contains("level=error"), "{log}");
            let whole = &log[..log.rfind('\n')?];
            let mut lines = whole.lines();
            let line = lines.find(|line| line.contains("msg=\"Listening on\""))?;
            let (_, address) = line.split_once("address=")?;
            address.split(' ').next()?.parse().ok()
        })
        .await;
        let prometheus = Self {
            _server: server,
            _directory: directory,
            address,
        };
        until_true("Prometheus has scraped every process", async || {
            let up = prometheus.try_query("sum(up{job=\"alumniq-relay\"})").await;
            up.is_ok_and(|up| up.first().map(|up| up.value) == Some(fleet.len() as f64))
        })
        .await;
        prometheus
    }

    /// Where it listens, for a client of one's own.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Evaluates an expression now.
    pub async fn query(&self, expression: &str) -> Vec<Sample> {
        self.try_query(expression)
            .await
            .unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// The same, where Prometheus may refuse it or not answer yet.
    async fn try_query(&self, expression: &str) -> Result<Vec<Sample>, String> {
        let data = self.get("query", &[("query", expression)]).await?;
        let result = &data["result"];
        Ok(match data["resultType"].as_str() {
            Some("vector") => {
                let series = result.as_array().unwrap();
                series.iter().map(sample).collect()
            }
            Some("scalar") => vec![Sample {
                labels: BTreeMap::new(),
                value: number(&result[1]),
            }],
            other => panic!("{expression} gives {other:?}"),
        })
    }

    /// Every alert that is pending or firing, as `/api/v1/alerts` tells it.
    pub async fn alerts(&self) -> Vec<Value> {
        let data = self.get("alerts", &[]).await.unwrap();
        data["alerts"].as_array().unwrap().clone()
    }

    /// The alerts of this name that fire.
    pub async fn firing(&self, name: &str) -> Vec<Value> {
        let mut alerts = self.alerts().await;
        alerts.retain(|alert| alert["state"] == "firing" && alert["labels"]["alertname"] == name);
        alerts
    }

    /// Every rule of every group, as `/api/v1/rules` tells it.
    pub async fn rules(&self) -> Vec<Value> {
        let data = self.get("rules", &[]).await.unwrap();
        let groups = data["groups"].as_array().unwrap();
        let rules = groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap());
        rules.cloned().collect()
    }

    async fn get(&self, what: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        // The client wants one although nothing here is encrypted; a second installation is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://{}/api/v1/{what}", self.address());
        let request = reqwest::Client::new().get(url).query(parameters);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let mut answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].take()),
            _ => Err(answer["error"].to_string()),
        }
    }
}

fn sample(series: &Value) -> Sample {
    let labels = series["metric"].as_object().unwrap().iter();
    Sample {
        labels: labels
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        value: number(&series["value"][1]),
    }
}

fn number(text: &Value) -> f64 {
    text.as_str().unwrap().parse().unwrap()
}

/// Writes the files that are made from the shipped ones. They are JSON, which is YAML.
fn write_configuration(directory: &Path, fleet: &[&Service], job: &Value) {
    let mut configuration = read(&shipped("prometheus.yml"));
    let targets: Vec<String> = fleet.iter().map(|one| one.address().to_string()).collect();
    let global = &mut configuration["global"];
    global["scrape_interval"] = json!("1s");
    global["scrape_timeout"] = json!("1s");
    global["evaluation_interval"] = json!("1s");
    global["external_labels"]["relay_url"] = json!(format!("http://{}", targets[0]));
    let relays = &mut configuration["scrape_configs"][0];
    relays["static_configs"] = json!([{ "targets": targets }]);
    for (key, value) in job.as_object().unwrap() {
        relays[key.as_str()] = value.clone();
    }
    std::fs::create_dir(directory.join("rules")).unwrap();
    for file in std::fs::read_dir(shipped("rules")).unwrap() {
        let path = file.unwrap().path();
        let mut rules = read(&path);
        for group in rules["groups"].as_array_mut().unwrap() {
            for rule in group["rules"].as_array_mut().unwrap() {
                speed_up(rule);
            }
        }
        let to = directory.join("rules").join(path.file_name().unwrap());
        std::fs::write(to, rules.to_string()).unwrap();
    }
    std::fs::write(directory.join("prometheus.yml"), configuration.to_string()).unwrap();
}

fn speed_up(rule: &mut Value) {
    if let Some(wait) = rule.get_mut("for") {
        *wait = json!(sped_up(wait.as_str().unwrap()).unwrap());
    }
    let expression = rule["expr"].as_str().unwrap();
    rule["expr"] = json!(speed_up_expression(expression));
}

/// With every range and offset [`SPEED`] times shorter.
fn speed_up_expression(expression: &str) -> String {
    let mut rest = expression;
    let mut done = String::new();
    while let Some(start) = rest.find('[').into_iter().chain(rest.find("offset ")).min() {
        let after = if rest[start..].starts_with('[') {
            start + "[".len()
        } else {
            start + "offset ".len()
        };
        done.push_str(&rest[..after]);
        rest = &rest[after..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        // Something else in brackets, as in a regular expression, stays as it is.
        done.push_str(&sped_up(&rest[..end]).unwrap_or_else(|| rest[..end].to_owned()));
        rest = &rest[end..];
    }
    done + rest
}

/// A duration like `90s`, `5m` or `3d`, [`SPEED`] times shorter, in milliseconds.
fn sped_up(duration: &str) -> Option<String> {
    let (number, seconds) = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((duration.strip_suffix(unit)?, seconds)))?;
    let number: u64 = number.parse().ok()?;
    Some(format!("{}ms", number * seconds * 1_000 / SPEED))
}

#[test]
fn durations_and_nothing_else_are_sped_up() {
    for (expression, expected) in [
        (
            "rate(a{b=~\"[0-9]+\"}[5m]) > 300 unless a offset 1d",
            "rate(a{b=~\"[0-9]+\"}[5000ms]) > 300 unless a offset 1440000ms",
        ),
        ("increase(offsets[90s])", "increase(offsets[1500ms])"),
        ("a > 5", "a > 5"),
    ] {
        assert_eq!(speed_up_expression(expression), expected);
    }
}
