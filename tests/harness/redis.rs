//! A `redis-server` of one's own.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jobs::destination::Destination;
use queue::{NO_TLS, Queue, QueueSettings, durability::DurabilityExceptions, seal::Seals};
use redis::aio::MultiplexedConnection;
use sandbox::{RedisServer, RedisServerSettings};
use tempfile::TempDir;

use crate::{clock, waiting::until_true};

/// Longer than any test: what is kept for this long does not expire in one.
pub const KEEP: Duration = Duration::from_secs(3600);

/// The file with the offset of a clock that can be moved.
const CLOCK: &str = "clock";

/// For an answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An append-only server on a Unix socket in a directory of its own; ends with its owner.
pub struct Redis {
    // Dropped before its directory.
    server: RedisServer,
    directory: TempDir,
}

impl Redis {
    /// Starts it and waits until it answers.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with other options, which outrank the usual ones.
    pub async fn start_with(options: &[&str]) -> Self {
        Self::start_in(options, &[]).await
    }

    /// With a clock that shows `utc` (`2024-02-29 23:59:48`) at its start. Not to be restarted: the clock would
    /// show the machine's time then.
    pub async fn start_at(utc: &str) -> Self {
        Self::start_in(&[], &clock::starting_at(utc)).await
    }

    /// With a clock that [`Self::set_clock`] moves. Not to be restarted.
    pub async fn start_with_clock(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(CLOCK);
        clock::set_offset(&file, 0);
        Self::start_at_path(directory, options, &clock::by_file(&file)).await
    }

    /// Sets the clock so many seconds ahead of the tests' own, and waits until it shows that.
    pub async fn set_clock(&self, seconds: i64) {
        clock::set_offset(&self.path(CLOCK), seconds);
        until_true("Redis' clock is moved", async || {
            let time: (i64, i64) = redis::from_redis_value(self.command("TIME").await).unwrap();
            let own = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let own = i64::try_from(own.as_secs()).unwrap();
            (time.0 - own - seconds).abs() < 60
        })
        .await;
    }

    async fn start_in(options: &[&str], environment: &[(&str, String)]) -> Self {
        Self::start_at_path(tempfile::tempdir().unwrap(), options, environment).await
    }

    async fn start_at_path(
        directory: TempDir,
        options: &[&str],
        environment: &[(&str, String)],
    ) -> Self {
        let settings = RedisServerSettings {
            options: owned(options),
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            ..RedisServerSettings::default()
        };
        let server = RedisServer::start(directory.path(), settings);
        Self {
            server: server.await.unwrap(),
            directory,
        }
    }

    /// Options for its next start.
    pub fn set_options(&mut self, options: &[&str]) {
        self.server.settings.options = owned(options);
    }

    /// A file in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a command, its words separated by blanks.
    pub async fn command(&self, words: &str) -> redis::Value {
        command(&mut self.connect().await, words).await
    }

    /// Sets `maxmemory` so that `beyond` bytes more than that are in use.
    pub async fn fill(&self, beyond: u64) {
        let limit = self.used_memory().await - beyond;
        self.server.limit_memory(limit).await.unwrap();
    }

    /// Bytes in use.
    pub async fn used_memory(&self) -> u64 {
        self.server.used_memory().await.unwrap()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// What clients connect to.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        self.server.socket()
    }

    /// Ends the server in good order and starts it again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Stops the server in good order; it is away until [`Self::start_again`].
    pub async fn stop(&mut self) {
        self.server.stop().await.unwrap();
    }

    /// Sends the server a signal by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        sandbox::signal(self.pid(), name);
    }

    /// Kills the server where it stands and starts it again.
    pub async fn kill9(&mut self) {
        self.server.kill().unwrap();
        self.start_again().await;
    }

    /// Starts the server that is away.
    pub async fn start_again(&mut self) {
        self.server.start_again().await.unwrap();
    }

    /// A connection for looking and for moving the clock.
    pub async fn connect(&self) -> MultiplexedConnection {
        self.server.connect().await.unwrap()
    }

    /// A queue for both destinations that keeps no payloads, but for what `change` does to that.
    pub async fn queue_with(
        &self,
        namespace: &str,
        change: impl FnOnce(&mut QueueSettings),
    ) -> Queue {
        let everything = DurabilityExceptions {
            no_persistence: true,
            eviction: true,
        };
        let reader = self.reader_with(namespace, change).await;
        reader.admit(everything).await.unwrap().queue
    }

    /// The same, not admitted: it may only read.
    pub async fn reader_with(
        &self,
        namespace: &str,
        change: impl FnOnce(&mut QueueSettings),
    ) -> Queue {
        let mut settings = QueueSettings {
            urls: vec![self.url()],
            tls: NO_TLS,
            namespace: namespace.to_owned(),
            response_timeout: PATIENCE,
            keep: KEEP,
            keep_payload: Duration::ZERO,
            keep_audit: KEEP,
            destinations: Destination::ALL.to_vec(),
            patience: KEEP,
            seals: Seals::default(),
        };
        change(&mut settings);
        Queue::connect(settings).await.unwrap()
    }
}

/// Runs a command, its words separated by blanks; `''` is an empty word.
pub async fn command(connection: &mut MultiplexedConnection, words: &str) -> redis::Value {
    let mut command = redis::Cmd::new();
    for word in words.split(' ') {
        command.arg(word.trim_matches('\''));
    }
    command.query_async(connection).await.unwrap()
}

fn owned(options: &[&str]) -> Vec<String> {
    options.iter().map(|&option| option.to_owned()).collect()
}
