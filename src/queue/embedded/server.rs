//! The server process: version, start, first answer, end.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::{EmbeddedError, home::Home};
use crate::durability::OLDEST;

/// For the first answer and for the end of a server that is told to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// For a server that is loading its data.
const LOADING_PATIENCE: Duration = Duration::from_secs(10 * 60);

const STEP: Duration = Duration::from_millis(20);

/// In its directory, while it runs.
pub const PID_FILE: &str = "redis.pid";

/// What the server is started with, beside its directory.
///
/// - append-only persistence, written through once a second; after a crash a file that ends in mid-record
///   is cut there instead of being refused
/// - no snapshots: the append-only file is rewritten in place of them
/// - no TCP port; the socket lies in its private directory under a relative name, which no limit on the
///   length of socket addresses touches
/// - no limit of its own: it shares the machine with the program that works the queue off; whoever wants a
///   limit runs a Redis of their own
/// - frees what expires beside the work: all that was closed in some days ends as a whole
/// - never evicts: every key is somebody's change
const OPTIONS: [(&str, &str); 14] = [
    ("--port", "0"),
    ("--unixsocket", "redis.sock"),
    ("--unixsocketperm", "700"),
    ("--pidfile", PID_FILE),
    ("--appendonly", "yes"),
    ("--appendfsync", "everysec"),
    ("--aof-load-truncated", "yes"),
    ("--save", ""),
    ("--lazyfree-lazy-expire", "yes"),
    ("--maxmemory", "0"),
    ("--maxmemory-policy", "noeviction"),
    ("--databases", "1"),
    ("--daemonize", "no"),
    ("--loglevel", "warning"),
];

/// Whether a server lives in the directory. The caller holds `start.lock`.
pub(super) fn lives(home: &Home) -> Result<bool, EmbeddedError> {
    let free = home.lock_file("server.lock")?.try_exclusive();
    free.map(|free| !free).map_err(|error| home.unusable(error))
}

/// Starts the server unless it runs; says whether it did. The caller holds `start.lock`.
pub(super) async fn ensure(home: &Home, program: &str) -> Result<bool, EmbeddedError> {
    let lock = home.lock_file("server.lock")?;
    if !lock.try_exclusive().map_err(|error| home.unusable(error))? {
        match answers(home, || !matches!(lock.try_exclusive(), Ok(true))).await {
            // It has ended meanwhile, and now its lock is ours.
            Err(EmbeddedError::Ended { .. }) => {}
            joined => return joined.map(|()| false),
        }
    }
    check_version(program).await?;
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(home.log())
        .map_err(|error| home.unusable(error))?;
    let seen = log.metadata().map_or(0, |metadata| metadata.len());
    let mut child = Starting(Some(spawn(home, program, lock.into_file(), log)?));
    let answer = answers(home, || child.lives()).await;
    // From here on it is the users' to stop.
    child.0 = None;
    match answer {
        Err(EmbeddedError::Ended { log, .. }) => Err(ended(home, log, tail(home, seen))),
        other => other.map(|()| true),
    }
}

/// Why it ended at its start, by what it logged.
fn ended(home: &Home, log: String, tail: String) -> EmbeddedError {
    if !tail.contains("Bad file format reading the append only file") {
        return EmbeddedError::Ended { log, tail };
    }
    let manifest = home
        .directory()
        .join("appendonlydir/appendonly.aof.manifest");
    EmbeddedError::Damaged {
        directory: home.directory().display().to_string(),
        manifest: manifest.display().to_string(),
        log,
    }
}

/// A server before its first answer. Nobody uses it yet: where nobody waits for it any more, it ends.
struct Starting(Option<Child>);

impl Starting {
    fn lives(&mut self) -> bool {
        matches!(self.0.as_mut().map(Child::try_wait), Some(Ok(None)))
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Append-only files are made for this; an error says that it has ended already.
            let _ = child.start_kill();
        }
    }
}

fn spawn(home: &Home, program: &str, lock: File, log: File) -> Result<Child, EmbeddedError> {
    // What a server that was killed left behind.
    match fs::remove_file(home.directory().join("redis.sock")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(home.unusable(error)),
        _ => {}
    }
    let errors = log.try_clone().map_err(|error| home.unusable(error))?;
    let mut command = Command::new(program);
    command
        .arg("--dir")
        .arg(home.directory())
        .args(OPTIONS.iter().flat_map(|(name, value)| [name, value]))
        .current_dir(home.directory())
        .stdin(Stdio::from(lock))
        .stdout(Stdio::from(log))
        .stderr(Stdio::from(errors))
        .process_group(0);
    command.spawn().map_err(|error| not_run(program, &error))
}

fn not_run(program: &str, error: &io::Error) -> EmbeddedError {
    let program = program.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => EmbeddedError::MissingProgram { program },
        _ => EmbeddedError::BrokenProgram {
            program,
            cause: error.to_string(),
        },
    }
}

async fn check_version(program: &str) -> Result<(), EmbeddedError> {
    let broken = |cause: &str| EmbeddedError::BrokenProgram {
        program: program.to_owned(),
        cause: cause.to_owned(),
    };
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(PATIENCE, command.output())
        .await
        .map_err(|_| broken("it does not answer `--version`"))?
        .map_err(|error| not_run(program, &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix("v="))
        .ok_or_else(|| broken("it does not say its version as a Redis does"))?;
    let mut numbers = version.split('.').map_while(|number| number.parse().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < OLDEST {
        return Err(EmbeddedError::OldProgram {
            program: program.to_owned(),
            version: version.to_owned(),
        });
    }
    Ok(())
}

/// Waits until the server answers or ends.
async fn answers(home: &Home, mut lives: impl FnMut() -> bool) -> Result<(), EmbeddedError> {
    let start = Instant::now();
    loop {
        let (cause, patience) = match ask(home, "PING").await {
            Ok(reply) if reply.starts_with('+') => return Ok(()),
            Ok(reply) if reply.starts_with("-LOADING") || reply.starts_with("-BUSY") => {
                (reply, LOADING_PATIENCE)
            }
            Ok(reply) if reply.starts_with('-') => {
                return Err(home.silent(format!("it says {:?}", reply.trim())));
            }
            Ok(reply) => (format!("it says {reply:?}"), PATIENCE),
            Err(error) => (error.to_string(), PATIENCE),
        };
        if !lives() {
            return Err(EmbeddedError::Ended {
                log: home.log().display().to_string(),
                tail: String::new(),
            });
        }
        if start.elapsed() > patience {
            return Err(home.silent(format!(
                "{cause}; it runs all the same: end it (`fuser {}` names it), then try again",
                home.directory().join("server.lock").display()
            )));
        }
        sleep(STEP).await;
    }
}

/// Sends one inline command and reads the first line of its answer.
async fn ask(home: &Home, command: &str) -> io::Result<String> {
    let conversation = async {
        let mut stream = BufReader::new(UnixStream::connect(home.socket()).await?);
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        Ok(line)
    };
    match timeout(PATIENCE, conversation).await {
        Ok(answer) => answer,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Stops the server and waits until it has saved its data and ended. The caller holds `start.lock`.
pub(super) async fn shut_down(home: &Home) -> Result<(), EmbeddedError> {
    if !lives(home)? {
        return Ok(());
    }
    // The answer to SHUTDOWN is the end of the connection.
    match ask(home, "SHUTDOWN").await {
        Ok(reply) if reply.starts_with('-') => {
            return Err(home.silent(format!(
                "it will not stop and says {:?}; see {}",
                reply.trim(),
                home.log().display()
            )));
        }
        _ => {}
    }
    let start = Instant::now();
    while lives(home)? {
        if start.elapsed() > PATIENCE {
            return Err(home.silent("it was told to stop and has not ended"));
        }
        sleep(STEP).await;
    }
    Ok(())
}

/// Tells the server to end, and waits for nothing: what cannot be told runs on for the next command.
pub(super) fn tell_to_end(home: &Home) {
    if let Ok(mut stream) = std::os::unix::net::UnixStream::connect(home.socket()) {
        let _ = stream.write_all(b"SHUTDOWN\r\n");
    }
}

/// What the server logged after `seen` bytes, shortened to its end.
fn tail(home: &Home, seen: u64) -> String {
    let mut bytes = Vec::new();
    let read = File::open(home.log()).and_then(|mut log| {
        log.seek(SeekFrom::Start(seen))?;
        log.take(16 * 1024).read_to_end(&mut bytes)
    });
    if let Err(error) = read {
        return error.to_string();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
