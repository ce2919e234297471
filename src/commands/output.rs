//! stdout. A reader that is slow is waited for; one that is stuck holds neither a signal nor the runtime's workers.

use std::{
    io::{self, Write},
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use super::{interrupted as interrupted_by, signals};
use crate::observe::logs;

/// How often a command that waits for its reader looks for a signal.
const LOOK: Duration = Duration::from_millis(100);

/// Writes to stdout. A reader that has seen enough (`| head`) is no error.
pub(super) fn print(text: &str) -> miette::Result<()> {
    printed(text).map(|_| ())
}

/// The same; `false` where the reader has gone away, for a command that would print again and again.
pub(super) fn printed(text: &str) -> miette::Result<bool> {
    let (tell, told) = sync_channel(1);
    let text = text.to_owned();
    let writing = move || {
        // On one terminal messages come in the order in which they were meant.
        logs::flush();
        // It fails only where nobody waits any more.
        let _ = tell.send(write(&text));
    };
    thread::Builder::new()
        .name("stdout".to_owned())
        .spawn(writing)
        .map_err(unwritable)?;
    let mut interrupted = false;
    loop {
        let patience = if interrupted {
            signals::LAST_WORDS
        } else {
            LOOK
        };
        match told.recv_timeout(patience) {
            Ok(Ok(())) => return Ok(true),
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            Ok(Err(error)) => return Err(unwritable(error)),
            Err(RecvTimeoutError::Timeout) if !interrupted => interrupted = signals::came(),
            Err(_) => return Err(interrupted_by("nobody reads what this command prints")),
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn unwritable(error: io::Error) -> miette::Report {
    miette::miette!("stdout cannot be written: {error}")
}
