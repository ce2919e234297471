//! The promises, each with tests that try to break it.
//!
//! - `queue_model`: random interleavings of every transition, compared with a plain model after each step
//! - `queue_promises`: pointed tests, each named for its claim
//! - `queue_wire`: what lies in Redis is read by the next version too

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod harness;
mod queue_model;
mod queue_promises;
mod queue_wire;
