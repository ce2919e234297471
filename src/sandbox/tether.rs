//! The processes of a simulation end with it, also where it is killed and can end nothing itself.

use std::{path::Path, process::Stdio};

use miette::{IntoDiagnostic, WrapErr};
use tokio::process::{Child, ChildStdin, Command};

/// Reads until its owner is gone, then kills the server whose process is in the file, and its own process group.
const WATCH: &str = r#"cat >/dev/null; kill -s KILL "$(cat "$0")"; kill -s KILL 0"#;

/// A shell that waits for the end of a pipe that only this process holds open. Dropping it ends the shell alone.
pub struct Tether {
    // Dropped before the pipe closes: in an orderly end everybody has ended already.
    shell: Child,
    _pipe: Option<ChildStdin>,
}

impl Tether {
    /// `pid_file`: where a server that may be started again says which process it is.
    ///
    /// # Errors
    ///
    /// `sh` cannot be started.
    pub fn new(pid_file: &Path) -> miette::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", WATCH])
            .arg(pid_file)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .into_diagnostic()
            .wrap_err("`sh` cannot be started")?;
        Ok(Self {
            _pipe: shell.stdin.take(),
            shell,
        })
    }

    /// The process group that ends with this process. `None`: the shell has ended.
    pub fn group(&self) -> Option<i32> {
        self.shell.id()?.try_into().ok()
    }
}
