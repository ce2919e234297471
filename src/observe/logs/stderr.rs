//! The only writer of stderr: a thread behind a bounded queue. A reader that is stuck (a full pipe, Ctrl-S) costs lines,
//! never a worker's time.
//!
//! `tracing-appender` has no barrier, which the order of stderr and stdout on one terminal needs, and its guard prints
//! to stdout where the queue is full at the end: on `2>&1` that is the same stuck reader.

use std::{
    fmt::Display,
    io::{self, Write},
    os::fd::{AsRawFd, RawFd},
    sync::{
        Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use console::Term;
use indicatif::ProgressDrawTarget;

use super::terminal::Beside;
use crate::observe::metrics;

/// Messages that may wait: more than the busiest log has in a quarter of a second, a few MiB at most.
const MOST: usize = 4_096;

/// How long a command waits for the reader: before it prints to stdout, and at its end.
const PATIENCE: Duration = Duration::from_secs(1);

static QUEUE: OnceLock<SyncSender<Vec<u8>>> = OnceLock::new();
static ACCEPTED: AtomicU64 = AtomicU64::new(0);
static WRITTEN: Mutex<Written> = Mutex::new(Written {
    messages: 0,
    stuck_at: None,
});
static PROGRESS: Condvar = Condvar::new();

struct Written {
    messages: u64,
    /// How many there were when somebody last waited in vain.
    stuck_at: Option<u64>,
}

fn written() -> MutexGuard<'static, Written> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the message found a place. It never waits for one.
fn accepts(message: &[u8]) -> bool {
    let queue = QUEUE.get_or_init(|| {
        let (queue, messages) = sync_channel(MOST);
        // Without a thread every message is dropped, and counted.
        let _ = thread::Builder::new()
            .name("stderr".to_owned())
            .spawn(move || write_all(&messages));
        queue
    });
    let accepted = queue.try_send(message.to_vec()).is_ok();
    if accepted {
        ACCEPTED.fetch_add(1, Ordering::Release);
    }
    accepted
}

fn write_all(messages: &Receiver<Vec<u8>>) {
    while let Ok(message) = messages.recv() {
        // There is no other place to report it: the reader has gone away, or the device is full.
        let _ = io::stderr().write_all(&message);
        written().messages += 1;
        PROGRESS.notify_all();
    }
}

/// Waits until everything that was accepted so far is written, at most for a second, and not again while the
/// reader is still stuck.
pub fn flush() {
    let accepted = ACCEPTED.load(Ordering::Acquire);
    let written = written();
    if written.stuck_at == Some(written.messages) {
        return;
    }
    let (mut written, waited) = PROGRESS
        .wait_timeout_while(written, PATIENCE, |written| written.messages < accepted)
        .unwrap_or_else(PoisonError::into_inner);
    written.stuck_at = waited.timed_out().then_some(written.messages);
}

/// Prints a message to stderr, in a line of its own.
pub fn tell(text: impl Display) {
    // Writing to `Lines` never fails.
    let _ = Beside(Lines).write_all(format!("{text}\n").as_bytes());
}

/// Flushes when it is dropped, a panic included. A reader that is stuck can't hold the exit.
#[must_use]
pub struct FlushAtEnd;

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        flush();
    }
}

/// Lines of the log and messages; what is dropped is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !accepts(line) {
            metrics::log_line_dropped();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As indicatif has it by itself.
const FRAMES_PER_SECOND: u8 = 20;

/// Where progress bars are drawn: on stderr, where that is a terminal.
pub fn bar_target() -> ProgressDrawTarget {
    ProgressDrawTarget::term(
        Term::read_write_pair(io::stdin(), Frames),
        FRAMES_PER_SECOND,
    )
}

/// Frames of a progress bar: the next one replaces what is dropped.
#[derive(Debug)]
struct Frames;

impl Write for Frames {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        accepts(frame);
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// For the terminal's width, and whether there is a terminal.
impl AsRawFd for Frames {
    fn as_raw_fd(&self) -> RawFd {
        io::stderr().as_raw_fd()
    }
}
