//! The `redis-server` that the program starts itself where `redis.url` is not set.
//!
//! Every command on one machine that uses the same data directory shares one server. Three lock files in
//! that directory say who is there; the kernel frees a lock when its holder dies, however it dies:
//!
//! | file | held | by | for |
//! |---|---|---|---|
//! | `start.lock` | exclusively | whoever starts or stops the server | that moment |
//! | `users.lock` | shared | every command that uses the server | its lifetime |
//! | `server.lock` | exclusively | the server itself, as its standard input | its lifetime |
//!
//! The first command starts the server, the last one to leave stops it, also when an error or a signal ends
//! it early. A command that is killed leaves the server running for the next one. Two servers on one data directory would destroy it: `server.lock` rules
//! that out even where the socket has been deleted.
//!
//! The server runs in a process group of its own, so that Ctrl-C reaches only the command, which still
//! needs the server to hand its work back.

use std::{convert::Infallible, future::Future, path::Path, time::Duration};

use thiserror::Error;

pub use self::server::PID_FILE;
use self::{home::Home, lock::Lock};

mod home;
mod lock;
mod server;
#[cfg(test)]
mod tests;

/// How often [`EmbeddedRedis::supervise`] looks: two file locks, no Redis command.
const SUPERVISION: Duration = Duration::from_secs(1);

/// How often, and how far apart, a command that ends early tries to leave in good order.
const LEAVING_TRIES: u32 = 20;

/// See [`LEAVING_TRIES`].
const LEAVING_STEP: Duration = Duration::from_millis(10);

/// Why there is no embedded server.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// The program is not installed.
    #[error(
        "`{program}` was not found: install it (Debian, Ubuntu: `apt-get install redis-server`; Fedora: \
         `dnf install redis`; macOS: `brew install redis`), name it with `redis.server`, or use a Redis \
         elsewhere with `redis.url`"
    )]
    MissingProgram {
        /// `redis.server`
        program: String,
    },
    /// The program is there and does not run.
    #[error("`{program}` (`redis.server`) cannot be run: {cause}")]
    BrokenProgram {
        /// `redis.server`
        program: String,
        /// The system's words or the program's.
        cause: String,
    },
    /// The program is too old.
    #[error(
        "`{program}` is Redis {version}, but 7.0 or newer is needed: install a newer one and name it with \
         `redis.server`, or use a Redis elsewhere with `redis.url`"
    )]
    OldProgram {
        /// `redis.server`
        program: String,
        /// As the program says.
        version: String,
    },
    /// The data directory cannot be used.
    #[error("the data directory {directory} (`redis.data_dir`) cannot be used: {cause}")]
    Directory {
        /// `redis.data_dir`
        directory: String,
        /// What is wrong and what to do.
        cause: String,
    },
    /// The server ended while it started.
    #[error("the embedded redis-server ended at its start; the end of {log}:\n{tail}")]
    Ended {
        /// Its log file.
        log: String,
        /// What it wrote there.
        tail: String,
    },
    /// The server cannot read its append-only file.
    #[error(
        "the embedded redis-server cannot read its append-only file: this machine or its disk stopped in the middle of \
         a write. AlumnIQ still lists everything that was not acknowledged, so no change is lost. Either cut off the \
         damaged end with `redis-check-aof --fix {manifest}`, or move {directory} away to start with an empty queue, \
         without its dead letters and timelines; then run the command again (the server's log is {log})"
    )]
    Damaged {
        /// `redis.data_dir`
        directory: String,
        /// The list of the append-only file's parts.
        manifest: String,
        /// Its log file.
        log: String,
    },
    /// The server lives and does not answer.
    #[error("the embedded redis-server in {directory} does not answer: {cause}")]
    Silent {
        /// `redis.data_dir`
        directory: String,
        /// What was tried and what to do.
        cause: String,
    },
}

/// One command's use of the embedded server. Dropping it without [`Self::stop`] tells the server to end where
/// nobody else uses it, and waits for nothing.
#[derive(Debug)]
pub struct EmbeddedRedis {
    home: Home,
    program: String,
    users: Lock,
}

impl EmbeddedRedis {
    /// Starts the server in `data_dir` with the program `server` (`redis.server`), or joins the one that
    /// runs there; returns once it answers.
    ///
    /// # Errors
    ///
    /// A missing, broken or old program; an unusable directory; a server that does not come up.
    pub async fn start(data_dir: &Path, server: &str) -> Result<Self, EmbeddedError> {
        let home = Home::prepare(data_dir)?;
        let _starting = home.starting().await?;
        let users = home.lock_file("users.lock")?;
        // Nobody holds it exclusively except under start.lock, which is ours.
        users.share().map_err(|error| home.unusable(error))?;
        server::ensure(&home, server).await?;
        Ok(Self {
            home,
            program: server.to_owned(),
            users,
        })
    }

    /// The address of the server in `data_dir`, if one seems to run there. Starts nothing.
    pub fn running_at(data_dir: &Path) -> Option<String> {
        if !data_dir.is_dir() {
            return None;
        }
        let home = Home::prepare(data_dir).ok()?;
        home.socket().exists().then(|| home.url())
    }

    /// The address for clients: `redis+unix:///…`.
    pub fn url(&self) -> String {
        self.home.url()
    }

    /// Keeps the server running, for as long as it is polled.
    pub fn supervise(&self) -> impl Future<Output = Infallible> + Send + 'static {
        let (home, program) = (self.home.clone(), self.program.clone());
        async move {
            loop {
                tokio::time::sleep(SUPERVISION).await;
                match ensure_running(&home, &program).await {
                    Ok(false) => {}
                    Ok(true) => {
                        tracing::warn!("the embedded redis-server had ended and was started again")
                    }
                    Err(error) => {
                        tracing::error!(%error, "the embedded redis-server is not running")
                    }
                }
            }
        }
    }

    /// Leaves the server; stops it, its data saved, if no other command uses it.
    ///
    /// # Errors
    ///
    /// When the server does not end.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        let _starting = self.home.starting().await?;
        let unusable = |error| self.home.unusable(error);
        self.users.release().map_err(unusable)?;
        if self.users.try_exclusive().map_err(unusable)? {
            server::shut_down(&self.home).await?;
        }
        Ok(())
    }
}

/// Starts the server again if it has ended; says whether it had.
async fn ensure_running(home: &Home, program: &str) -> Result<bool, EmbeddedError> {
    let _starting = home.starting().await?;
    if server::lives(home)? {
        return Ok(false);
    }
    server::ensure(home, program).await
}

impl Drop for EmbeddedRedis {
    fn drop(&mut self) {
        if self.users.release().is_err() {
            return;
        }
        for _ in 0..LEAVING_TRIES {
            match self.home.try_starting() {
                Ok(Some(_starting)) => {
                    if matches!(self.users.try_exclusive(), Ok(true)) {
                        server::tell_to_end(&self.home);
                    }
                    return;
                }
                // Another command starts, and will use it, or leaves as we do: then one of us must be the last.
                Ok(None) => std::thread::sleep(LEAVING_STEP),
                Err(_) => return,
            }
        }
    }
}
