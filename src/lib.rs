//! alumniq-relay carries work-profile changes from AlumnIQ to the CRM and to Salsa Engage, and tells
//! AlumnIQ only then that they were handled.
//!
//! # Layout
//!
//! From the top down; each room may use those below it, which a test holds it to:
//!
//! - [`commands`]: one file a subcommand, each a composition root
//! - [`console`]: what every process serves: pages, API, `/metrics`, `/healthz`, `/readyz`, `/runbook`
//! - [`cli`]: what can be typed
//! - [`operations`]: what an operator can do, whichever way it is asked for
//! - [`pipeline`]: producer, consumers, acknowledger: job + client -> outcome
//! - [`observe`]: metrics, logs, traces, heartbeats
//! - [`vendors`]: AlumnIQ, CRM and Salsa over HTTP, nothing else
//! - [`config`]: one struct per concern, each key documented, wrong keys reported with their line
//! - [`runbook`]: what an operator does when something is wrong, built in; [`exit`]: how a command ends;
//!   [`visible`]: text of others, where people look at it
//!
//! Below them are four crates: [`queue`], all that knows Redis; [`sandbox`], the vendors simulated with their traps, and
//! the checker of the promises; [`transport`], certificate authorities, proxies, and what errors of TLS mean; and
//! [`jobs`], what each job decides, without I/O. `sandbox` knows only `jobs`, `queue` only `jobs` and `transport`.
//! `vendors` and `config` do not know `queue`.

pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
#[cfg(test)]
mod documented;
pub mod exit;
#[cfg(test)]
mod layering;
pub mod observe;
pub mod operations;
pub mod pipeline;
pub mod runbook;
pub mod vendors;
pub mod visible;
