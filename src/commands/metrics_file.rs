//! `sync --metrics-file`: what `/metrics` would show, as a file for node_exporter's textfile collector.

use std::{
    convert::Infallible,
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
};

use jiff::Timestamp;
use tokio_util::task::AbortOnDropHandle;

use super::{exit_of, usage};
use crate::{
    exit::Exit,
    observe::{
        logs,
        metrics::{self, Exposition},
    },
};

/// Whoever runs node_exporter is another user.
const MODE: u32 = 0o644;

/// The file that is written when the command ends, over the one of the command before.
pub struct MetricsFile {
    path: PathBuf,
    exposition: Exposition,
    _upkeep: AbortOnDropHandle<Infallible>,
}

impl MetricsFile {
    /// Starts recording. A place that cannot be written to is refused now, not after an hour of work.
    pub fn at(path: &Path, namespace: &str) -> miette::Result<Self> {
        let exposition = metrics::install(namespace);
        let file = Self {
            path: path.to_owned(),
            _upkeep: AbortOnDropHandle::new(tokio::spawn(exposition.clone().upkeep())),
            exposition,
        };
        file.try_out().map_err(|error| {
            usage(
                format!("cannot write the metrics file {}: {error}", path.display()),
                "name a file in a directory that exists and in which this user may make files",
            )
        })?;
        Ok(file)
    }

    /// Writes it, and says how the command ends.
    pub fn close(self, ended: miette::Result<Exit>) -> miette::Result<Exit> {
        let exit = match &ended {
            Ok(exit) => *exit,
            Err(report) => exit_of(report),
        };
        metrics::sync_ended(Timestamp::now(), exit);
        let written = self.replace_with(&self.exposition.render());
        if let Err(error) = &written {
            logs::tell(format_args!(
                "warning: the metrics file {} cannot be written: {error}; what it said before stays",
                self.path.display()
            ));
        }
        match (ended?, written) {
            (exit, Ok(())) => Ok(exit),
            (_, Err(_)) => Ok(Exit::Failed),
        }
    }

    fn try_out(&self) -> io::Result<()> {
        if self.path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let temporary = self.temporary();
        File::create_new(&temporary)?;
        fs::remove_file(&temporary)
    }

    /// Whoever reads it sees the old file or the new one, never a part of one.
    fn replace_with(&self, text: &str) -> io::Result<()> {
        let temporary = self.temporary();
        let replaced =
            write_new(&temporary, text).and_then(|()| fs::rename(&temporary, &self.path));
        if replaced.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        replaced
    }

    /// In the same directory, because a file is renamed within its file system only; without the suffix `.prom`, so
    /// that node_exporter leaves it alone; each process its own.
    fn temporary(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path
            .with_file_name(format!(".{name}.{}", process::id()))
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
