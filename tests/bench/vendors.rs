//! The simulated vendors, in a process of their own.

use std::{process::Stdio, time::Duration};

use harness::relay::program;
use reqwest::Client;
use sandbox::{ChangeState, Faults, Progress, Report, Times, VendorFaults};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::{
    Outcome,
    process::{Process, Used},
};

/// More calls a minute than anybody makes: in effect no limit.
pub const NO_LIMIT: u64 = 1_000_000_000;

pub struct Vendors {
    process: Process,
    client: Client,
    /// `relay.toml` as the sandbox prints it.
    pub config: String,
    base: String,
}

impl Vendors {
    /// With so many changes, all of today, each of one of `people`; no limit, no latency, no faults.
    pub async fn start(changes: usize, people: usize) -> Outcome<Self> {
        let mut command = Command::new(program());
        command
            .args([
                "sandbox",
                "--listen",
                "127.0.0.1:0",
                "--days",
                "1",
                "--timezone",
                "UTC",
            ])
            .args(["--changes", &changes.max(1).to_string()])
            .args(["--people", &people.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = Process::spawn(command)?;
        let stdout = process.child().stdout.take().ok_or("no stdout")?;
        let (mut lines, mut config) = (BufReader::new(stdout).lines(), String::new());
        while let Some(line) = lines.next_line().await? {
            config.push_str(&line);
            config.push('\n');
            // The last section has three keys.
            if config.contains("[salsa]") && line.starts_with("url = ") {
                break;
            }
        }
        let mut vendors = Self {
            process,
            client: Client::builder().no_proxy().build()?,
            config,
            base: String::new(),
        };
        let alumniq = vendors.url_of("[alumniq]")?;
        let (base, _) = alumniq.split_once("/api/v1/").ok_or("another address")?;
        vendors.base = base.to_owned();
        vendors
            .put("limits", &json!({ "rate_per_minute": NO_LIMIT }))
            .await?;
        Ok(vendors)
    }

    /// The address of a section of the configuration (`[crm]`).
    pub fn url_of(&self, section: &str) -> Outcome<&str> {
        let rest = self.config.split_once(section).map(|(_, rest)| rest);
        let mut lines = rest.unwrap_or_default().lines();
        let url = lines.find_map(|line| line.strip_prefix("url = \"")?.strip_suffix('"'));
        url.ok_or_else(|| format!("no address in {section}").into())
    }

    /// Every call takes so long from now on.
    pub async fn slow_down(&self, milliseconds: u64) -> Outcome<()> {
        let slow = || VendorFaults {
            latency_ms: milliseconds,
            ..VendorFaults::default()
        };
        let faults = Faults {
            alumniq: slow(),
            crm: slow(),
            salsa: slow(),
        };
        self.put("faults", &faults).await
    }

    pub async fn put(&self, what: &str, body: &impl Serialize) -> Outcome<()> {
        let request = self.client.put(self.address(what)).json(body);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    pub async fn post<T: DeserializeOwned>(&self, what: &str, body: &impl Serialize) -> Outcome<T> {
        let request = self.client.post(self.address(what)).json(body);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    pub async fn progress(&self) -> Outcome<Progress> {
        self.get("progress").await
    }

    pub async fn times(&self) -> Outcome<Vec<Times>> {
        self.get("times").await
    }

    pub async fn report(&self) -> Outcome<Report> {
        self.get("report").await
    }

    pub async fn change(&self, id: &str) -> Outcome<ChangeState> {
        self.get(&format!("change/{id}")).await
    }

    pub fn used(&self) -> Outcome<Used> {
        self.process.used()
    }

    /// Waits until so many changes have come so far; how far they have come then.
    pub async fn reached(&self, enough: impl Fn(&Progress) -> bool) -> Outcome<Progress> {
        loop {
            let progress = self.progress().await?;
            if enough(&progress) {
                return Ok(progress);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn get<T: DeserializeOwned>(&self, what: &str) -> Outcome<T> {
        let answer = self.client.get(self.address(what)).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    fn address(&self, what: &str) -> String {
        format!("{}/_sandbox/{what}", self.base)
    }
}
