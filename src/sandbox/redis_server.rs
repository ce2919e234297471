//! A `redis-server` of our own that may be stopped, killed and filled up.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use miette::{IntoDiagnostic, WrapErr, miette};
use redis::{AsyncConnectionConfig, RedisResult, aio::MultiplexedConnection};

/// For a server's first answer, its end and its other answers, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const STEP: Duration = Duration::from_millis(10);

/// Sends a signal by its name without `SIG`.
pub fn signal(pid: u32, name: &str) {
    // Through the shell, whose `kill` is built in: not every machine has the program. It fails only where the
    // process has ended, and then nothing is to be done.
    let _ = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// How a server is started.
#[derive(Debug, Clone)]
pub struct RedisServerSettings {
    /// The program: `redis-server`, or a path.
    pub program: String,
    /// Options beyond a socket and append-only persistence; they outrank these.
    pub options: Vec<String>,
    /// Variables beyond those it inherits; an empty one is not inherited.
    pub environment: Vec<(String, String)>,
    /// Whether it has a process group of its own, so that Ctrl-C doesn't reach it.
    pub has_own_group: bool,
}

impl Default for RedisServerSettings {
    fn default() -> Self {
        Self {
            program: "redis-server".to_owned(),
            options: Vec::new(),
            environment: Vec::new(),
            has_own_group: false,
        }
    }
}

/// An append-only server on a socket in a directory of its own. Dropping it kills it.
pub struct RedisServer {
    directory: PathBuf,
    /// For its next start.
    pub settings: RedisServerSettings,
    process: Child,
}

impl RedisServer {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    ///
    /// It cannot be started, ends, or does not answer within a minute.
    pub async fn start(directory: &Path, settings: RedisServerSettings) -> miette::Result<Self> {
        let mut server = Self {
            process: spawn(directory, &settings)?,
            directory: directory.to_owned(),
            settings,
        };
        server.answers().await?;
        Ok(server)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        socket(&self.directory)
    }

    /// What clients connect to.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Stops it in good order; it is away until [`Self::start_again`].
    ///
    /// # Errors
    ///
    /// It does not end within a minute.
    pub async fn stop(&mut self) -> miette::Result<()> {
        signal(self.pid(), "TERM");
        let started = Instant::now();
        while self.ended()?.is_none() {
            if started.elapsed() > PATIENCE {
                return Err(miette!("redis-server does not end"));
            }
            tokio::time::sleep(STEP).await;
        }
        Ok(())
    }

    /// Kills it where it stands; it is away until [`Self::start_again`].
    ///
    /// # Errors
    ///
    /// The system cannot say that it ended.
    pub fn kill(&mut self) -> miette::Result<()> {
        self.process.kill().into_diagnostic()?;
        self.process.wait().into_diagnostic()?;
        Ok(())
    }

    /// Starts it when it is away.
    ///
    /// # Errors
    ///
    /// As for [`Self::start`].
    pub async fn start_again(&mut self) -> miette::Result<()> {
        // A server that was killed leaves its socket behind.
        let _ = std::fs::remove_file(self.socket());
        self.process = spawn(&self.directory, &self.settings)?;
        self.answers().await
    }

    /// A connection with much patience.
    ///
    /// # Errors
    ///
    /// It is away.
    pub async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        redis::Client::open(self.url())?
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Bytes in use.
    ///
    /// # Errors
    ///
    /// It is away, or does not say.
    pub async fn used_memory(&self) -> RedisResult<u64> {
        let info: String = self.ask(redis::cmd("INFO").arg("memory")).await?;
        let used = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok());
        used.ok_or_else(|| (redis::ErrorKind::UnexpectedReturnType, "no used_memory").into())
    }

    /// Sets `maxmemory`; 0 is no limit.
    ///
    /// # Errors
    ///
    /// It is away, or refuses.
    pub async fn limit_memory(&self, bytes: u64) -> RedisResult<()> {
        self.ask(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes))
            .await
    }

    /// Removes everything.
    ///
    /// # Errors
    ///
    /// It is away, or refuses.
    pub async fn empty(&self) -> RedisResult<()> {
        self.ask(&redis::cmd("FLUSHALL")).await
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> RedisResult<T> {
        command.query_async(&mut self.connect().await?).await
    }

    fn ended(&mut self) -> miette::Result<Option<ExitStatus>> {
        self.process.try_wait().into_diagnostic()
    }

    async fn answers(&mut self) -> miette::Result<()> {
        let started = Instant::now();
        loop {
            if self.ask::<String>(&redis::cmd("PING")).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                return Err(miette!("redis-server ended at its start ({status})"));
            }
            if started.elapsed() > PATIENCE {
                return Err(miette!("redis-server does not answer"));
            }
            tokio::time::sleep(STEP).await;
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("redis.sock")
}

fn spawn(directory: &Path, settings: &RedisServerSettings) -> miette::Result<Child> {
    let RedisServerSettings {
        program,
        options,
        environment,
        has_own_group,
    } = settings;
    let mut command = Command::new(program);
    command
        .arg("--dir")
        .arg(directory)
        .arg("--unixsocket")
        .arg(socket(directory))
        .args(["--port", "0", "--save", "", "--appendonly", "yes"])
        .args(["--loglevel", "warning"])
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    for (name, value) in environment {
        match value.as_str() {
            "" => command.env_remove(name),
            value => command.env(name, value),
        };
    }
    if *has_own_group {
        command.process_group(0).stderr(Stdio::null());
    }
    command
        .spawn()
        .into_diagnostic()
        .wrap_err_with(|| {
            format!(
                "`{program}` cannot be started: install it (Debian, Ubuntu: `apt-get install redis-server`), \
                 or use a Redis of yours with --redis"
            )
        })
}
