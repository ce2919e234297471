//! `[worker]`: how a process holds and hands over its work.

use std::time::Duration;

use super::{key::default, section::section};

section! {
    /// How a process holds its work.
    WorkerConfig at "worker" {
        /// How long work stays with a process that no longer answers; also the time that the fleet needs
        /// to take it over. The lead of the fetches is taken over after 15 s even if this is longer, and
        /// within a minute while no fetch is due.
        lease: Duration = default("10s").within(2.0, 300.0),
        /// How long a process that is told to stop finishes the calls it has begun. What is not finished
        /// then goes back and costs no attempt; the vendor may have taken it, and it is sent again. Let an
        /// orchestrator wait at least 10 s longer before it kills.
        drain: Duration = default("25s").within(0.0, 600.0),
        /// How long a change that keeps failing is tried beyond `max_attempts` while the destination has
        /// accepted nothing else since its first failure: it may be the destination that is down. `0s`: the
        /// last attempt is the last. A change whose calls alone find the destination down, while others get
        /// through, is tried for as long.
        patience: Duration = default("90m").within(0.0, 604_800.0),
    }
}
