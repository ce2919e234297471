//! A directory for the length of a command.

use std::path::{Path, PathBuf};

use miette::IntoDiagnostic;

/// A directory of our own that goes with us.
pub struct Temporary {
    path: PathBuf,
}

impl Temporary {
    /// Makes one in the system's temporary directory; `purpose` is part of its name.
    pub fn new(purpose: &str) -> miette::Result<Self> {
        let name = format!(
            "alumniq-relay-{purpose}-{}-{:08x}",
            std::process::id(),
            rand::random::<u32>()
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).into_diagnostic()?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed is in the system's temporary directory and holds nobody's data.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
