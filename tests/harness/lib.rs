//! What the tests and the benchmark run the program with: real `redis-server`s, simulated vendors, and processes of the
//! built program.
//!
//! # Layout
//!
//! - [`relay`]: the program with a configuration of its own; [`service`]: a process of it that runs;
//!   [`terminal`]: one with a screen
//! - [`redis`]: a `redis-server`; [`namespace`]: a queue in it, moved step by step; [`snapshot`]: all that the queue
//!   keeps there; [`rows`]: changes for it
//! - [`vendors`]: the sandbox in the test's own process
//! - [`waiting`]: for a condition, never for time; [`clock`]: processes with a wrong one
//! - [`proxy`], [`sockets`], [`unread`]: networks, ports and pipes that fail; [`authority`]: certificates
//! - [`exposition`], [`prometheus`], [`collector`]: who reads metrics and traces

#![allow(
    missing_docs,
    reason = "only tests use it, and most names say all there is to know"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

pub mod authority;
pub mod clock;
pub mod collector;
pub mod exposition;
pub mod namespace;
pub mod prometheus;
pub mod proxy;
pub mod redis;
pub mod relay;
pub mod rows;
pub mod service;
pub mod snapshot;
pub mod sockets;
pub mod terminal;
pub mod unread;
pub mod vendors;
pub mod waiting;
