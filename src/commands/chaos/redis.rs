//! Redis: a server of our own, which may be killed, or somebody's, which may not.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use miette::{IntoDiagnostic, WrapErr, miette};
use queue::{Queue, embedded::PID_FILE};
use redis::{AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, RedisResult};
use tokio::process::{Child, Command};

use super::{
    door::{Behind, ChaosProxy},
    plan::ChaosAct,
    processes::{Processes, signal},
};

/// For a server's first answer and for its end, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const STEP: Duration = Duration::from_millis(20);

/// Where the fleet's queue is.
pub enum ChaosRedis {
    /// Ours.
    Own(OwnServer),
    /// Theirs, through a door that can cut connections, where there can be one.
    Theirs(Option<ChaosProxy>),
}

impl ChaosRedis {
    /// Does what an act does to Redis.
    pub async fn perform(
        &mut self,
        act: ChaosAct,
        queue: &Queue,
        processes: &Processes,
    ) -> miette::Result<()> {
        match (act, self) {
            (ChaosAct::RestartRedis, Self::Own(server)) => server.restart().await,
            (ChaosAct::KillRedis, Self::Own(server)) => server.kill9().await,
            (ChaosAct::FillRedis, Self::Own(server)) => server.fill().await.into_diagnostic(),
            (ChaosAct::FreeRedis, Self::Own(server)) => server.free().await.into_diagnostic(),
            (ChaosAct::EmptyRedis, Self::Own(server)) => server.empty().await.into_diagnostic(),
            (ChaosAct::EmptyRedis, Self::Theirs(_)) => {
                // It takes several steps, and nobody may see it half-done.
                processes.signal_all("STOP");
                let emptied = queue.empty().await;
                processes.signal_all("CONT");
                emptied.map(|_| ()).into_diagnostic()
            }
            (ChaosAct::CutRedis, Self::Theirs(Some(door))) => door.cut().await.into_diagnostic(),
            _ => Ok(()),
        }
    }
}

/// The door to somebody's Redis and the address that leads through it. `None`: with TLS or several nodes the
/// address itself matters, and connections cannot be cut.
pub fn door(url: &str) -> io::Result<Option<(ChaosProxy, String)>> {
    let Ok(info) = url.into_connection_info() else {
        return Ok(None);
    };
    let behind = match info.addr() {
        ConnectionAddr::Tcp(host, port) => Behind::Tcp(format!("{host}:{port}")),
        ConnectionAddr::Unix(path) => Behind::Unix(path.clone()),
        _ => return Ok(None),
    };
    let settings = info.redis_settings();
    let encoded =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let credentials = match (settings.username(), settings.password()) {
        (None, None) => String::new(),
        (user, password) => format!(
            "{}:{}@",
            encoded(user.unwrap_or_default()),
            encoded(password.unwrap_or_default())
        ),
    };
    let door = ChaosProxy::new(behind)?;
    let url = format!("redis://{credentials}{}/{}", door.address(), settings.db());
    Ok(Some((door, url)))
}

/// An append-only server on a socket in a directory of its own. Dropping it kills it.
pub struct OwnServer {
    directory: PathBuf,
    program: String,
    server: Child,
}

impl OwnServer {
    /// Starts it and waits until it answers.
    pub async fn start(directory: &Path, program: &str) -> miette::Result<Self> {
        let mut server = Self {
            server: spawn(directory, program)?,
            directory: directory.to_owned(),
            program: program.to_owned(),
        };
        server.answers().await?;
        Ok(server)
    }

    /// What clients connect to.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", socket(&self.directory).display())
    }

    async fn restart(&mut self) -> miette::Result<()> {
        if let Some(pid) = self.server.id() {
            signal(pid, "TERM");
        }
        let ended = tokio::time::timeout(PATIENCE, self.server.wait()).await;
        ended
            .map_err(|_| miette!("redis-server does not end"))?
            .into_diagnostic()?;
        self.start_again().await
    }

    async fn kill9(&mut self) -> miette::Result<()> {
        self.server.kill().await.into_diagnostic()?;
        self.start_again().await
    }

    /// Kills it for good.
    pub async fn end(mut self) {
        // It fails only where it has ended already.
        let _ = self.server.kill().await;
    }

    async fn start_again(&mut self) -> miette::Result<()> {
        // A server that was killed leaves its socket behind.
        let _ = std::fs::remove_file(socket(&self.directory));
        self.server = spawn(&self.directory, &self.program)?;
        self.answers().await
    }

    async fn answers(&mut self) -> miette::Result<()> {
        let started = Instant::now();
        loop {
            if self.ask::<String>(&redis::cmd("PING")).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.server.try_wait().into_diagnostic()? {
                return Err(miette!("redis-server ended at its start ({status})"));
            }
            if started.elapsed() > PATIENCE {
                return Err(miette!("redis-server does not answer"));
            }
            tokio::time::sleep(STEP).await;
        }
    }

    async fn fill(&self) -> RedisResult<()> {
        let info: String = self.ask(redis::cmd("INFO").arg("memory")).await?;
        let used: Option<u64> = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok());
        // A little less than it has: what changes go does not make room.
        self.limit(used.unwrap_or_default() / 10 * 9).await
    }

    async fn free(&self) -> RedisResult<()> {
        self.limit(0).await
    }

    async fn limit(&self, bytes: u64) -> RedisResult<()> {
        self.ask(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes))
            .await
    }

    async fn empty(&self) -> RedisResult<()> {
        self.ask(&redis::cmd("FLUSHALL")).await
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> RedisResult<T> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let mut connection = redis::Client::open(self.url())?
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        command.query_async(&mut connection).await
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("redis.sock")
}

fn spawn(directory: &Path, program: &str) -> miette::Result<Child> {
    Command::new(program)
        .arg("--dir")
        .arg(directory)
        .arg("--unixsocket")
        .arg(socket(directory))
        .args(["--port", "0", "--save", "", "--loglevel", "warning"])
        .args(["--appendonly", "yes", "--appendfsync", "everysec"])
        .args(["--maxmemory-policy", "noeviction"])
        .args(["--pidfile", PID_FILE])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .into_diagnostic()
        .wrap_err_with(|| {
            format!(
                "`{program}` cannot be started: install it (Debian, Ubuntu: `apt-get install redis-server`), \
                 or use a Redis of yours with --redis"
            )
        })
}
