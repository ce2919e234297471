//! The fleet: processes of the relay, each of which may die and is then started again.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
};

use miette::{IntoDiagnostic, WrapErr, miette};
use queue::embedded::PID_FILE;
use tokio::process::{Child, Command};

use crate::{redis_server::signal, tether::Tether};

/// Where Debian and its kin install libfaketime.
const LIBRARIES: &str = "/usr/lib";

/// libfaketime, where it is installed.
pub fn faketime() -> Option<PathBuf> {
    let machines = std::fs::read_dir(LIBRARIES).ok()?.flatten();
    let library = |directory: PathBuf| directory.join("faketime/libfaketimeMT.so.1");
    machines
        .map(|entry| library(entry.path()))
        .find(|path| path.exists())
}

/// A process that is killed leaves libfaketime's shared memory behind.
fn forget_clock(pid: u32) {
    for name in ["faketime_shm", "sem.faketime_sem"] {
        let _ = std::fs::remove_file(format!("/dev/shm/{name}_{pid}"));
    }
}

/// How a process of the fleet is started.
#[derive(Debug, Clone)]
pub struct FleetProgram {
    /// The program.
    pub path: PathBuf,
    /// Its arguments; the configuration is the `relay.toml` in its directory.
    pub arguments: Vec<String>,
    /// The exit code by which it refuses its configuration.
    pub refuses: u8,
}

/// The processes. Dropping it kills them.
pub struct Processes {
    program: FleetProgram,
    directory: PathBuf,
    logs: Option<PathBuf>,
    environment: BTreeMap<OsString, OsString>,
    /// The library, and by how much each process's clock is off.
    skew: Option<(PathBuf, Vec<&'static str>)>,
    children: Vec<Option<Child>>,
    tether: Tether,
    /// How often one was started.
    pub started: usize,
}

impl Processes {
    /// None runs yet. `directory` holds their `relay.toml`; `environment` is all that they inherit.
    pub fn new(
        program: FleetProgram,
        workers: usize,
        directory: &Path,
        logs: Option<PathBuf>,
        environment: BTreeMap<OsString, OsString>,
        faketime: Option<PathBuf>,
    ) -> miette::Result<Self> {
        let clocks = |worker| match worker {
            0 => "+1s",
            1 => "-1s",
            _ => "+0s",
        };
        if let Some(logs) = &logs {
            std::fs::create_dir_all(logs).into_diagnostic()?;
        }
        Ok(Self {
            program,
            directory: directory.to_owned(),
            logs,
            environment,
            skew: faketime.map(|library| (library, (0..workers).map(clocks).collect())),
            children: (0..workers).map(|_| None).collect(),
            tether: Tether::new(&directory.join(PID_FILE))?,
            started: 0,
        })
    }

    /// Starts every process that does not run, as systemd would.
    pub fn revive(&mut self) -> miette::Result<()> {
        for worker in 0..self.children.len() {
            let ended = match &mut self.children[worker] {
                None => true,
                Some(child) => match child.try_wait().into_diagnostic()? {
                    Some(status) if status.code() == Some(i32::from(self.program.refuses)) => {
                        return Err(miette!(
                            help = "name a directory for the processes' logs with --logs and look there",
                            "the processes refuse the configuration that was made for them"
                        ));
                    }
                    status => status.is_some(),
                },
            };
            if ended {
                self.children[worker] = Some(self.spawn(worker)?);
                self.started += 1;
            }
        }
        Ok(())
    }

    fn spawn(&self, worker: usize) -> miette::Result<Child> {
        let mut command = Command::new(&self.program.path);
        command
            .args(&self.program.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log(worker)?)
            // Ctrl-C reaches us alone: we end them, and where we are killed the tether does.
            .process_group(self.tether.group().unwrap_or_default())
            .kill_on_drop(true);
        if let Some((library, clocks)) = &self.skew {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME", clocks[worker])
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        command
            .spawn()
            .into_diagnostic()
            .wrap_err("a process of the fleet cannot be started")
    }

    fn log(&self, worker: usize) -> miette::Result<Stdio> {
        let Some(logs) = &self.logs else {
            return Ok(Stdio::null());
        };
        let name = logs.join(format!("process-{}.log", worker + 1));
        let log = File::options().create(true).append(true).open(name);
        Ok(log.into_diagnostic()?.into())
    }

    /// SIGKILL; the process is gone when this returns.
    pub async fn kill(&mut self, worker: usize) {
        if let Some(child) = &mut self.children[worker] {
            let pid = child.id();
            // It fails only where the process has ended already.
            let _ = child.kill().await;
            if let (Some(pid), Some(_)) = (pid, &self.skew) {
                forget_clock(pid);
            }
            self.children[worker] = None;
        }
    }

    /// Sends a signal to a process, if it runs.
    pub fn signal(&self, worker: usize, name: &str) {
        if let Some(pid) = self.pid(worker) {
            signal(pid, name);
        }
    }

    fn pid(&self, worker: usize) -> Option<u32> {
        self.children[worker].as_ref().and_then(Child::id)
    }

    /// Whether `name`, which ends in `-PID-RANDOM`, is what the process calls itself in the queue.
    pub fn is_called(&self, worker: usize, name: &str) -> bool {
        let pid = name.rsplit('-').nth(1).and_then(|pid| pid.parse().ok());
        pid.is_some() && pid == self.pid(worker)
    }

    /// The same to all.
    pub fn signal_all(&self, name: &str) {
        for worker in 0..self.children.len() {
            self.signal(worker, name);
        }
    }

    /// Kills all.
    pub async fn end(mut self) {
        for worker in 0..self.children.len() {
            self.kill(worker).await;
        }
    }
}
