//! A `redis-server` of the benchmark's own: append-only, written through once a second.

use std::{collections::BTreeMap, net::TcpListener, process::Stdio, time::Duration};

use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    Outcome,
    process::{Process, Used},
};

pub struct Redis {
    server: Process,
    port: u16,
    // Removed after the server has ended.
    _directory: TempDir,
}

/// What it has done so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    /// Commands, those within scripts among them.
    pub commands: u64,
    /// Requests that came over a connection: commands sent together count once.
    pub round_trips: u64,
    /// Bytes over all connections, both ways.
    pub bytes: u64,
    /// Bytes that the data takes in memory.
    pub memory: u64,
    pub used: Used,
}

impl Redis {
    pub async fn start() -> Outcome<Self> {
        let directory = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--appendonly", "yes", "--appendfsync", "everysec"])
            .args(["--save", "", "--loglevel", "warning"])
            .current_dir(&directory)
            .stdout(Stdio::null());
        let redis = Self {
            server: Process::spawn(command)?,
            port,
            _directory: directory,
        };
        while redis.connect().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(redis)
    }

    /// As `redis.url` names it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub async fn connect(&self) -> Outcome<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        Ok(client.get_multiplexed_async_connection().await?)
    }

    /// Waits until no file is being written anew.
    pub async fn rests(&self) -> Outcome<()> {
        let mut connection = self.connect().await?;
        loop {
            let mut info = redis::cmd("INFO");
            let text: String = info.arg("persistence").query_async(&mut connection).await?;
            let is_written =
                |line: &str| line.starts_with("aof_rewrite_") && line.trim_end().ends_with(":1");
            if !text.lines().any(is_written) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub async fn counters(&self) -> Outcome<Counters> {
        let text: String = redis::cmd("INFO")
            .arg("everything")
            .query_async(&mut self.connect().await?)
            .await?;
        let fields: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.trim().split_once(':'))
            .collect();
        let field = |name: &str| -> Outcome<u64> {
            let value = fields.get(name).ok_or_else(|| format!("no {name}"))?;
            Ok(value.parse()?)
        };
        Ok(Counters {
            commands: field("total_commands_processed")?,
            round_trips: field("total_reads_processed")?,
            bytes: field("total_net_input_bytes")? + field("total_net_output_bytes")?,
            memory: field("used_memory")?,
            used: self.server.used()?,
        })
    }
}
