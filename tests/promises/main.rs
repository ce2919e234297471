//! The promises, each with tests that try to break it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod crashes;
mod draining;
mod harness;
mod letters;
mod outages;
mod pipeline;
mod variants;
