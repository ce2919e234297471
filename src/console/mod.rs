//! What every process serves at `console.listen`.
//!
//! # Layout
//!
//! - [`server`]: the listener and its addresses, `/metrics`, `/healthz`, `/readyz` and `/runbook`
//! - [`health`]: the loops' heartbeats, from which readiness follows
//! - [`api`]: the JSON API
//! - [`access`]: the tokens; [`visitor`]: who asks; [`refusal`]: how somebody is turned away
//! - [`pages`]: what operators see
//! - `runbook`: what an operator does when an alert fires; it holds no data and needs no token

pub mod access;
pub mod api;
pub mod health;
pub mod pages;
pub mod refusal;
mod runbook;
pub mod server;
pub mod visitor;

pub use self::{
    access::Tokens,
    health::{Beat, Heartbeats},
    server::{BindError, Console, bind, router, serve},
};
