//! The program under test, as processes.

use std::{fs::File, process::Stdio};

use sandbox::{SANDBOX_API_KEY, SANDBOX_PASSWORD, SANDBOX_TOKEN, SANDBOX_USERNAME};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    Outcome,
    process::Process,
    redis::Redis,
    vendors::{PROGRAM, Vendors},
};

/// How many calls at a time, of the whole fleet.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Concurrency {
    pub crm: usize,
    pub salsa: usize,
}

/// Enough to keep two cores busy with vendors that answer at once, and for what 20 ms allow.
pub const WIDE: Concurrency = Concurrency { crm: 64, salsa: 8 };

/// A folder with a configuration, and what is set by the environment.
pub struct Relay {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

impl Relay {
    pub fn new(vendors: &Vendors, redis: &Redis, concurrency: Concurrency) -> Outcome<Self> {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("relay.toml"), &vendors.config)?;
        let relay = Self {
            directory,
            environment: secrets(),
        };
        Ok(relay
            .set("redis.url", redis.url())
            .set("console.listen", "127.0.0.1:0")
            .set("crm.concurrency", concurrency.crm)
            .set("salsa.concurrency", concurrency.salsa))
    }

    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        let name = key.to_uppercase().replace('.', "__");
        let variable = format!("ALUMNIQ_RELAY__{name}");
        self.environment.push((variable, value.to_string()));
        self
    }

    /// Starts a command; what it logs, as a service does, goes to a file.
    pub fn start(&self, arguments: &[&str]) -> Outcome<Process> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join("log"))?;
        let mut command = Command::new(PROGRAM);
        command
            .args(["--log-format", "json"])
            .args(arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Process::spawn(command)
    }

    /// What was logged, for the words of an error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Outcome<()> {
        let status = self.start(arguments)?.end().await?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("{arguments:?} ended with {status}: {}", self.log()).into()),
        }
    }
}

/// What the simulated vendors accept.
pub fn secrets() -> Vec<(String, String)> {
    [
        ("ALUMNIQ_API_KEY", SANDBOX_API_KEY),
        ("CRM_USERNAME", SANDBOX_USERNAME),
        ("CRM_PASSWORD", SANDBOX_PASSWORD),
        ("SALSA_AUTH_TOKEN", SANDBOX_TOKEN),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
