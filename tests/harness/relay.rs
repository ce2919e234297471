//! The built program with a configuration of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use sandbox::{SANDBOX_API_KEY, SANDBOX_PASSWORD, SANDBOX_TOKEN, SANDBOX_USERNAME, Sandbox};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{clock, redis::Redis, service::Service};

/// Longer than any command takes.
const PATIENCE: Duration = Duration::from_secs(180);

/// The variables that hold what the sandbox accepts.
pub const SECRETS: [(&str, &str); 4] = [
    ("ALUMNIQ_API_KEY", SANDBOX_API_KEY),
    ("CRM_USERNAME", SANDBOX_USERNAME),
    ("CRM_PASSWORD", SANDBOX_PASSWORD),
    ("SALSA_AUTH_TOKEN", SANDBOX_TOKEN),
];

/// The built program. Cargo names it to the tests and benchmarks that it runs. Where something else runs them, or a
/// Cargo older than 1.94, it is in the folder above theirs.
pub fn program() -> PathBuf {
    let named = std::env::var_os("CARGO_BIN_EXE_alumniq-relay").map(PathBuf::from);
    named.unwrap_or_else(|| {
        let own = std::env::current_exe().unwrap();
        let folder = own.parent().and_then(Path::parent).unwrap();
        folder.join("alumniq-relay")
    })
}

/// `PATH` for scripts that call the program by its name.
pub fn search_path() -> String {
    let (program, path) = (program(), std::env::var("PATH").unwrap());
    format!("{}:{path}", program.parent().unwrap().display())
}

/// What a command that has ended left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Fails where the exit code is another one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "stdout: {stdout}\nstderr: {stderr}");
        self
    }

    /// What was printed, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}\n{}", self.stdout, self.stderr))
    }

    /// Everything that was said, on one line: errors are wrapped to the terminal's width.
    pub fn said(&self) -> String {
        let text = format!("{} {}", self.stdout, self.stderr);
        let words = text.split_whitespace().filter(|word| *word != "│");
        words.collect::<Vec<_>>().join(" ")
    }
}

/// A directory with a `relay.toml`, and the variables of every process that is started in it.
pub struct Relay {
    directory: TempDir,
    environment: BTreeMap<String, String>,
}

impl Relay {
    /// Configured for `sandbox`; where no Redis is named, the program starts its own.
    pub fn new(sandbox: &Sandbox, redis: Option<&Redis>) -> Self {
        let relay = Self::with_config(&sandbox.relay_toml())
            .set("acknowledge.max_wait", "1s")
            .set("salsa.rate_per_minute", "1000000")
            .set("console.listen", "127.0.0.1:0");
        match redis {
            Some(redis) => relay.set("redis.url", &redis.url()),
            None => relay,
        }
    }

    /// With this configuration file, the sandbox's secrets and nothing else.
    pub fn with_config(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("relay.toml"), text).unwrap();
        let path = ("PATH", std::env::var("PATH").unwrap());
        let secrets = SECRETS.map(|(name, value)| (name, value.to_owned()));
        let environment = secrets.into_iter().chain([path]).chain(clock::own());
        Self {
            directory,
            environment: environment
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }

    /// Sets a key by its variable.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        let name = key.to_uppercase().replace('.', "__");
        self.environment
            .insert(format!("ALUMNIQ_RELAY__{name}"), value.to_owned());
        self
    }

    /// Sets a variable of the environment.
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With a clock that is so many seconds off.
    pub fn with_clock(self, off: i64) -> Self {
        let set = |relay: Self, (name, value): (_, String)| relay.with_variable(name, &value);
        clock::off_by(off).into_iter().fold(self, set)
    }

    /// Takes a variable away.
    pub fn without(mut self, variable: &str) -> Self {
        self.environment.remove(variable);
        self
    }

    /// Adds lines to the configuration file.
    pub fn append(self, text: &str) -> Self {
        let path = self.path("relay.toml");
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, before + text).unwrap();
        self
    }

    /// A file in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A command of the program in its directory, with nothing but its variables.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(program(), arguments)
    }

    /// The same of another program.
    pub fn command_of(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let output = tokio::time::timeout(PATIENCE, self.command(arguments).output())
            .await
            .unwrap_or_else(|_| panic!("{arguments:?} does not end"))
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs a command that must succeed; what it printed, as JSON.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments).await.expect(0).json()
    }

    /// Starts the service with these roles and waits until it runs.
    pub async fn start(&self, roles: &str) -> Service {
        self.start_with(&["--log-format", "json", "run", "--roles", roles])
            .await
    }

    /// Starts a command and leaves it running; temporary files go into a directory of its own.
    pub fn spawn(&self, arguments: &[&str]) -> Service {
        let mut command = self.command(arguments);
        command.env("TMPDIR", self.temporary());
        Service::spawn(command, self.directory.path())
    }

    /// Starts a command that writes to these outputs; `address`, where it listens, if it does.
    pub fn spawn_into(
        &self,
        arguments: &[&str],
        stdout: Stdio,
        stderr: Stdio,
        address: SocketAddr,
    ) -> Service {
        let mut command = self.command(arguments);
        command.env("TMPDIR", self.temporary());
        Service::spawn_into(command, self.directory.path(), stdout, stderr, address)
    }

    /// Where [`Self::spawn`] lets commands put their temporary files.
    pub fn temporary(&self) -> PathBuf {
        let path = self.path("tmp");
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// Starts the service through another program (`nohup`), which is given its command line.
    pub async fn start_through(&self, wrapper: &[&str], roles: &str) -> Service {
        let mut command = self.command_of(wrapper[0], &wrapper[1..]);
        command
            .arg(program())
            .args(["--log-format", "json", "run", "--roles", roles]);
        Service::start(command, self.directory.path()).await
    }

    /// Starts the service with arguments of the test's own; the log must be JSON.
    pub async fn start_with(&self, arguments: &[&str]) -> Service {
        Service::start(self.command(arguments), self.directory.path()).await
    }

    /// `status --json`.
    pub async fn status(&self) -> Value {
        self.json(&["status", "--json"]).await
    }

    /// `show --json` of one change.
    pub async fn show(&self, change_id: &str) -> Value {
        self.json(&["show", change_id, "--json"]).await
    }

    /// Every dead letter.
    pub async fn dead(&self) -> Vec<Value> {
        let page = self
            .json(&["dead", "list", "--limit", "10000", "--json"])
            .await;
        assert_eq!(page["next"], Value::Null);
        page["items"].as_array().unwrap().clone()
    }

    /// The changes with a dead letter.
    pub async fn dead_ids(&self) -> Vec<String> {
        ids(&self.dead().await)
    }

    /// The `redis-server`s that its commands have started and that still run, temporary ones included.
    pub fn embedded_servers(&self) -> Vec<u32> {
        servers_below(&self.directory.path().canonicalize().unwrap())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // A test that failed may leave the embedded server running, as a command that is killed does.
        for pid in self.embedded_servers() {
            sandbox::signal(pid, "TERM");
        }
    }
}

/// A server works in its data directory, also when that has been removed meanwhile.
fn servers_below(directory: &Path) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let home = std::fs::read_link(entry.path().join("cwd")).ok()?;
            // So a server names itself; `redis-server --version` runs here too.
            let is_server = line.starts_with(b"redis-server unixsocket:");
            (is_server && home.starts_with(directory)).then_some(pid)
        })
        .collect()
}

/// A JSON string.
#[track_caller]
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

/// The changes of these letters, each once.
pub fn ids<'a>(letters: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let ids = letters.into_iter().map(|letter| text(&letter["change_id"]));
    ids.collect::<BTreeSet<_>>().into_iter().collect()
}
