//! The embedded server's directory: its locks, its socket, its log.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{EmbeddedError, lock::Lock};

/// The longest path that is sure to fit into a socket address (104 bytes on macOS, 108 on Linux).
const LONGEST_SOCKET_PATH: usize = 100;

/// Longer than a server takes to load its data ([`super::server`]).
const START_LOCK_PATIENCE: Duration = Duration::from_secs(15 * 60);

const SOCKET: &str = "redis.sock";

/// A data directory that exists, is private and belongs to us.
#[derive(Debug, Clone)]
pub(super) struct Home {
    directory: PathBuf,
    owner: u32,
    /// Short enough for a socket address; may lead through a link.
    socket: PathBuf,
}

impl Home {
    pub(super) fn prepare(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let failed = |cause: String| EmbeddedError::Directory {
            directory: data_dir.display().to_string(),
            cause,
        };
        let io_failed = |error: io::Error| failed(explain(&error));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)
            .map_err(io_failed)?;
        let directory = data_dir.canonicalize().map_err(io_failed)?;
        let owner = probe(&directory).map_err(io_failed)?;
        make_private(&directory, owner).map_err(failed)?;
        let socket = short_socket(&directory, owner).map_err(failed)?;
        Ok(Self {
            directory,
            owner,
            socket,
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The socket, as a client names it.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn log(&self) -> PathBuf {
        self.directory.join("redis.log")
    }

    pub(super) fn url(&self) -> String {
        let escaped = url::Url::from_file_path(&self.socket)
            .map(|url| url.path().to_owned())
            .unwrap_or_else(|()| self.socket.display().to_string());
        format!("redis+unix://{escaped}")
    }

    pub(super) fn lock_file(&self, name: &str) -> Result<Lock, EmbeddedError> {
        Lock::open(&self.directory.join(name)).map_err(|error| self.unusable(error))
    }

    /// The right to start or stop the server.
    pub(super) async fn starting(&self) -> Result<Lock, EmbeddedError> {
        // A machine that tidies /tmp may have removed the link since.
        short_socket(&self.directory, self.owner).map_err(|cause| self.failed(cause))?;
        let patience = Instant::now() + START_LOCK_PATIENCE;
        loop {
            if let Some(lock) = self.try_starting()? {
                return Ok(lock);
            }
            if Instant::now() > patience {
                return Err(
                    self.silent("another command has been starting or stopping it for long")
                );
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The same where nobody else has it: `None` where somebody does.
    pub(super) fn try_starting(&self) -> Result<Option<Lock>, EmbeddedError> {
        let lock = self.lock_file("start.lock")?;
        let free = lock.try_exclusive().map_err(|error| self.unusable(error))?;
        Ok(free.then_some(lock))
    }

    pub(super) fn unusable(&self, error: io::Error) -> EmbeddedError {
        self.failed(explain(&error))
    }

    fn failed(&self, cause: String) -> EmbeddedError {
        EmbeddedError::Directory {
            directory: self.directory.display().to_string(),
            cause,
        }
    }

    pub(super) fn silent(&self, cause: impl Into<String>) -> EmbeddedError {
        EmbeddedError::Silent {
            directory: self.directory.display().to_string(),
            cause: cause.into(),
        }
    }
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("{error}; make it writable for this user, or name another one")
        }
        _ => error.to_string(),
    }
}

/// Writes and removes a file: shows that the directory is writable, and who we are.
fn probe(directory: &Path) -> io::Result<u32> {
    let path = directory.join(format!(".probe-{}", std::process::id()));
    let owner = fs::File::create(&path).and_then(|file| file.metadata());
    fs::remove_file(&path)?;
    Ok(owner?.uid())
}

/// Personal data stands in the server's files. A directory that holds anything else stays as it is: it
/// is not ours to lock.
fn make_private(directory: &Path, owner: u32) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let lock = directory.join("start.lock");
    let used = lock.exists();
    if used {
        let user = fs::metadata(&lock).map_err(text)?.uid();
        if user != owner {
            return Err(format!(
                "it belongs to another user (uid {user}); run this command as that user"
            ));
        }
    }
    let metadata = fs::metadata(directory).map_err(text)?;
    if metadata.mode() & 0o077 == 0 || metadata.uid() != owner {
        return Ok(());
    }
    if !used && fs::read_dir(directory).map_err(text)?.next().is_some() {
        return Err("it holds other files; give the server a directory of its own".to_owned());
    }
    fs::set_permissions(directory, Permissions::from_mode(0o700)).map_err(text)
}

/// The socket's path, or, where that is too long for a socket address, one through a link in a private
/// directory under `/tmp`. The socket itself always lies in the data directory.
fn short_socket(directory: &Path, owner: u32) -> Result<PathBuf, String> {
    let direct = directory.join(SOCKET);
    if direct.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return Ok(direct);
    }
    // Not the environment's temporary directory: every command must find the same link.
    let links = PathBuf::from(format!("/tmp/alumniq-relay-{owner}"));
    let failed = |error: io::Error| {
        format!(
            "its path is too long for a socket, and {} cannot be used instead ({error}); name a \
             directory with a shorter path",
            links.display()
        )
    };
    match DirBuilder::new().mode(0o700).create(&links) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let metadata = fs::symlink_metadata(&links).map_err(failed)?;
    if !metadata.is_dir() || metadata.uid() != owner || metadata.mode() & 0o077 != 0 {
        return Err(failed(io::Error::other("it is not private")));
    }
    let link = links.join(format!(
        "{:016x}",
        fnv1a(directory.as_os_str().as_encoded_bytes())
    ));
    if fs::read_link(&link).ok().as_deref() != Some(directory) {
        // Two commands may do so at once: each makes a link of its own and moves it into place.
        let fresh = link.with_extension(std::process::id().to_string());
        let _ = fs::remove_file(&fresh);
        symlink(directory, &fresh)
            .and_then(|()| fs::rename(&fresh, &link))
            .map_err(failed)?;
    }
    Ok(link.join(SOCKET))
}

/// FNV-1a, 64 bits: the same in every version of this program, unlike the standard library's hash.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
