//! A `redis-server` of one's own.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jobs::destination::Destination;
use queue::{NO_TLS, Queue, QueueSettings, durability::DurabilityExceptions, seal::Seals};
use redis::{AsyncConnectionConfig, aio::MultiplexedConnection};
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
    directory: TempDir,
    server: Child,
    options: Vec<String>,
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
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let server = spawn(&directory, &options, environment);
        let redis = Self {
            directory,
            server,
            options,
        };
        redis.answers().await;
        redis
    }

    /// Options for its next start.
    pub fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(|&option| option.to_owned()).collect();
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
        self.command(&format!("CONFIG SET maxmemory {limit}")).await;
    }

    /// Bytes in use.
    pub async fn used_memory(&self) -> u64 {
        let info: String = redis::from_redis_value(self.command("INFO memory").await).unwrap();
        let used = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        used.unwrap().trim().parse().unwrap()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    /// What clients connect to.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        self.path("redis.sock")
    }

    /// Ends the server in good order and starts it again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Stops the server in good order; it is away until [`Self::start_again`].
    pub async fn stop(&mut self) {
        let asked = Command::new("kill")
            .arg(self.server.id().to_string())
            .status();
        assert!(asked.unwrap().success());
        self.server.wait().unwrap();
    }

    /// Sends the server a signal by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.server.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Kills the server where it stands and starts it again.
    pub async fn kill9(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        self.start_again().await;
    }

    /// Starts the server that is away.
    pub async fn start_again(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        self.server = spawn(&self.directory, &self.options, &[]);
        self.answers().await;
    }

    async fn answers(&self) {
        for _ in 0..2_000 {
            if let Ok(mut connection) = self.try_connect().await {
                let pong: redis::RedisResult<String> =
                    redis::cmd("PING").query_async(&mut connection).await;
                if pong.is_ok() {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server does not answer");
    }

    async fn try_connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        redis::Client::open(self.url())?
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// A connection for looking and for moving the clock.
    pub async fn connect(&self) -> MultiplexedConnection {
        self.try_connect().await.unwrap()
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

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
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

fn spawn(directory: &TempDir, options: &[String], environment: &[(&str, String)]) -> Child {
    let mut command = Command::new("redis-server");
    if environment
        .iter()
        .any(|(name, _)| *name == clock::OFFSET_FILE)
    {
        command.env_remove("FAKETIME");
    }
    command
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .arg("--dir")
        .arg(directory.path())
        .arg("--unixsocket")
        .arg(directory.path().join("redis.sock"))
        .args(["--port", "0", "--save", "", "--appendonly", "yes"])
        .args(["--loglevel", "warning"])
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}
