//! alumniq-relay carries work-profile changes from AlumnIQ to the CRM and to Salsa Engage, and tells
//! AlumnIQ only then that they were handled.
//!
//! # Layout
//!
//! Dependencies point one way: `main` -> [`commands`] -> [`workers`], [`console`] -> [`vendors`],
//! [`queue`] -> [`jobs`]. Three rooms are crates, so that the compiler holds them to it: `jobs` is pure, `queue` and
//! `sandbox` know nothing but `jobs`. `vendors` and `queue` never see each other.
//!
//! - [`cli`]: what can be typed; [`commands`]: one file a subcommand, each a composition root
//! - [`config`]: one struct per concern, each key documented, wrong keys reported with their line
//! - [`vendors`]: AlumnIQ, CRM and Salsa over HTTP, nothing else
//! - [`queue`]: the only room that knows Redis
//! - [`workers`]: producer, consumers, acknowledger: job + client -> outcome
//! - [`operations`]: what an operator can do, whichever way it is asked for
//! - [`console`]: `/metrics`, `/healthz`, `/readyz`, `/runbook`
//! - [`sandbox`]: the three vendors, simulated with their traps, and the checker of the promises
//! - [`metrics`], [`telemetry`]: every metric's name, and the logs
//! - `documented`: the documents' tables are those of the code
//! - [`runbook`]: what an operator does when something is wrong, built in; [`exit`]: how a command ends
//! - [`visible`]: text of others, where people look at it

pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
#[cfg(test)]
mod documented;
pub mod exit;
pub mod metrics;
pub mod operations;
pub mod runbook;
pub mod telemetry;
pub mod vendors;
pub mod visible;
pub mod workers;
