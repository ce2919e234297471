//! What every process serves at `console.listen`.
//!
//! # Layout
//!
//! - [`server`]: the listener and its addresses, `/metrics`, `/healthz`, `/readyz` and `/runbook`
//! - [`health`]: the loops' heartbeats, from which readiness follows
//! - [`access`]: who may see more than "alive" and "ready"; [`visitor`]: who asks
//! - `runbook`: what an operator does when an alert fires; it holds no data and needs no token

pub mod access;
pub mod health;
mod runbook;
pub mod server;
pub mod visitor;

pub use self::{
    access::Tokens,
    health::{Beat, Heartbeats},
    server::{BindError, Console, bind, router, serve},
};
