//! A `redis-server` of the benchmark's own: append-only, written through once a second, reached over TCP as in production.

use std::{collections::BTreeMap, time::Duration};

use harness::sockets::Port;
use redis::aio::MultiplexedConnection;

use crate::{
    Outcome,
    process::{Used, used_by},
};

pub struct Redis {
    server: harness::redis::Redis,
    port: Port,
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
    pub async fn start() -> Self {
        let port = Port::hold();
        let number = port.number().to_string();
        let options = ["--bind", "127.0.0.1", "--port", &number];
        Self {
            server: harness::redis::Redis::start_with(&options).await,
            port,
        }
    }

    /// As `redis.url` names it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.port.address())
    }

    pub async fn connect(&self) -> Outcome<MultiplexedConnection> {
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
            used: used_by(self.server.pid())?,
        })
    }
}
