//! The program under test, as processes.

use std::{fs::File, path::PathBuf, process::Stdio};

use crate::{Outcome, process::Process, redis::Redis, vendors::Vendors};

/// How many calls at a time, of the whole fleet.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Concurrency {
    pub crm: usize,
    pub salsa: usize,
}

/// Enough to keep two cores busy with vendors that answer at once, and for what 20 ms allow.
pub const WIDE: Concurrency = Concurrency { crm: 64, salsa: 8 };

/// The program, configured for a setting.
pub struct Relay(harness::relay::Relay);

impl Relay {
    pub fn new(vendors: &Vendors, redis: &Redis, concurrency: Concurrency) -> Self {
        let relay = harness::relay::Relay::with_config(&vendors.config)
            .set("redis.url", &redis.url())
            .set("console.listen", "127.0.0.1:0")
            .set("crm.concurrency", &concurrency.crm.to_string())
            .set("salsa.concurrency", &concurrency.salsa.to_string());
        Self(relay)
    }

    pub fn set(self, key: &str, value: &str) -> Self {
        Self(self.0.set(key, value))
    }

    /// Starts a command; what it logs, as a service does, goes to a file.
    pub fn start(&self, arguments: &[&str]) -> Outcome<Process> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let arguments = [&["--log-format", "json"], arguments].concat();
        let mut command = self.0.command(&arguments);
        command.stdout(Stdio::null()).stderr(log);
        Process::spawn(command)
    }

    /// What was logged, for the words of an error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.0.path("log")
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
