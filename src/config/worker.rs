//! `[worker]`: how a process holds and hands over its work.

use std::time::Duration;

use super::key::{default, section};

section! {
    /// How a process holds its work.
    WorkerConfig at "worker" {
        /// How long work stays with a process that no longer answers; also the time that the fleet needs
        /// to take it over.
        lease: Duration = default("10s").within(2.0, 300.0),
        /// How long a process that is told to stop finishes the calls it has begun. What is not finished
        /// then goes back and costs no attempt.
        drain: Duration = default("25s").within(0.0, 600.0),
    }
}
