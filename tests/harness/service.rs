//! A running process of the service.

use std::{
    fs::File,
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::waiting::until;

/// How many lines of its log a failed test shows of each process.
const SHOWN_LINES: usize = 40;

/// Killed when dropped; shows the end of its log when the test fails.
pub struct Service {
    child: Child,
    pid: u32,
    log: PathBuf,
    address: SocketAddr,
}

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

impl Service {
    /// Starts it.
    pub fn spawn(mut command: Command, directory: &Path) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = directory.join(format!("service-{number}.log"));
        let child = command
            .stdout(File::create(log.with_extension("out")).unwrap())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self {
            pid: child.id().unwrap(),
            child,
            log,
            address: ([0, 0, 0, 0], 0).into(),
        }
    }

    /// Starts it with outputs of the test's own.
    pub fn spawn_into(
        mut command: Command,
        directory: &Path,
        stdout: Stdio,
        stderr: Stdio,
        address: SocketAddr,
    ) -> Self {
        let child = command.stdout(stdout).stderr(stderr).spawn().unwrap();
        Self {
            pid: child.id().unwrap(),
            child,
            log: directory.join("nobody-writes-it.log"),
            address,
        }
    }

    /// Starts it and waits until it says where it listens.
    pub async fn start(command: Command, directory: &Path) -> Self {
        let mut service = Self::spawn(command, directory);
        service.address = until("the service says where it listens", async || {
            let log = service.log();
            assert!(
                service.child.try_wait().unwrap().is_none(),
                "it ended at its start: {log}"
            );
            let mut events = log
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            events.find_map(|event: Value| find(&event, "listen")?.parse().ok())
        })
        .await;
        service
    }

    /// The same, known to listen there although it has not said so.
    pub fn listening_on(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The most memory that it has had at any time, in bytes; `None` when it has ended.
    pub fn peak_memory(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
        Some(kibibytes << 10)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that it wrote to stderr.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Everything that it wrote to stdout.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(self.log.with_extension("out")).unwrap()
    }

    /// Sends a signal by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        sandbox::signal(self.pid, name);
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Exit {
        let status = until("the service ends", async || self.child.try_wait().unwrap()).await;
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap()),
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill9(mut self) {
        self.signal("KILL");
        assert_eq!(self.ended().await, Exit::Signal(9));
    }

    /// SIGTERM, and waits until it has drained.
    pub async fn stop(mut self) {
        self.signal("TERM");
        assert_eq!(self.ended().await, Exit::Code(0));
    }

    /// GETs a path of its console: status and body.
    pub async fn get(&self, path: &str) -> (u16, String) {
        // The client wants one although nothing here is encrypted; a second installation is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://{}{path}", self.address);
        let answer = reqwest::Client::new().get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// The first text under `key`, at any depth.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    match value {
        Value::Object(fields) => {
            let own = fields.get(key).and_then(Value::as_str);
            own.or_else(|| fields.values().find_map(|value| find(value, key)))
        }
        _ => None,
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A panic in here would end every other test, too.
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let end = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
            eprintln!(
                "process {}, the end of its log:\n{}\n",
                self.pid,
                end.join("\n")
            );
        }
    }
}
