//! Why a fetch failed.

use std::io;

use queue::{QueueError, trouble::RedisErrorKind};

use crate::vendors::feed::FeedError;

/// Why a fetch failed. What it had taken in by then stays.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// AlumnIQ did not give rows.
    #[error("the feed cannot be fetched: {0}")]
    Feed(#[from] FeedError),
    /// Redis did not take them, or another process leads now.
    #[error(transparent)]
    Queue(QueueError),
    /// Redis has no room for new changes.
    #[error("{}", RedisErrorKind::Full)]
    Full,
    /// A long answer can be held neither on disk nor in memory.
    #[error(
        "AlumnIQ's answer is too long to be sorted in memory, and cannot be sorted on disk: {0}; the variable TMPDIR \
         names a directory with room"
    )]
    Sorting(io::Error),
    /// A date beyond the calendar.
    #[error("no such date: {0}")]
    Date(#[from] jiff::Error),
    /// It was told to stop.
    #[error("interrupted")]
    Stopped,
}

impl From<QueueError> for FetchError {
    fn from(error: QueueError) -> Self {
        match error.is_full() {
            true => Self::Full,
            false => Self::Queue(error),
        }
    }
}
