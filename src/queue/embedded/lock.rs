//! Lock files: the kernel frees a lock when its holder ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// An open lock file.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Opens or creates the file; holds nothing yet.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map(Self)
    }

    /// Takes the lock alone; false if anybody else holds it.
    pub(super) fn try_exclusive(&self) -> io::Result<bool> {
        held(self.0.try_lock())
    }

    /// Takes the lock together with others.
    pub(super) fn share(&self) -> io::Result<()> {
        self.0.lock_shared()
    }

    /// Lets it go.
    pub(super) fn release(&self) -> io::Result<()> {
        self.0.unlock()
    }

    /// The file, to be handed to a process that holds the lock from then on.
    pub(super) fn into_file(self) -> File {
        self.0
    }
}

fn held(result: Result<(), TryLockError>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
