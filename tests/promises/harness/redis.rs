//! A `redis-server` of one's own.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use alumniq_relay::queue::{Queue, QueueSettings};
use jobs::destination::Destination;
use redis::{AsyncConnectionConfig, aio::MultiplexedConnection};
use tempfile::TempDir;

/// Longer than any test: what is kept for this long does not expire in one.
pub const KEEP: Duration = Duration::from_secs(3600);

/// For an answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An append-only server on a Unix socket in a directory of its own; ends with its owner.
pub struct Redis {
    directory: TempDir,
    server: Child,
}

impl Redis {
    /// Starts it and waits until it answers.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = spawn(&directory);
        let redis = Self { directory, server };
        redis.answers().await;
        redis
    }

    /// What clients connect to.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    /// Ends the server in good order and starts it again.
    pub async fn restart(&mut self) {
        let asked = Command::new("kill")
            .arg(self.server.id().to_string())
            .status();
        assert!(asked.unwrap().success());
        self.server.wait().unwrap();
        self.start_again().await;
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

    async fn start_again(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        self.server = spawn(&self.directory);
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
        let mut settings = QueueSettings {
            urls: vec![self.url()],
            namespace: namespace.to_owned(),
            response_timeout: PATIENCE,
            keep: KEEP,
            keep_payload: Duration::ZERO,
            destinations: Destination::ALL.to_vec(),
            patience: KEEP,
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

fn spawn(directory: &TempDir) -> Child {
    Command::new("redis-server")
        .arg("--dir")
        .arg(directory.path())
        .arg("--unixsocket")
        .arg(directory.path().join("redis.sock"))
        .args(["--port", "0", "--save", "", "--appendonly", "yes"])
        .args(["--loglevel", "warning"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}
