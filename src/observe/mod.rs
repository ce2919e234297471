//! What the program shows of itself while it runs.
//!
//! # Layout
//!
//! - [`metrics`]: for Prometheus; [`logs`]: for people and log shippers; [`traces`]: for an OpenTelemetry collector
//! - [`heartbeats`]: which of this process's loops turn, from which its readiness follows

pub mod heartbeats;
pub mod logs;
pub mod metrics;
pub mod traces;

pub use self::heartbeats::{Heartbeat, Heartbeats};
