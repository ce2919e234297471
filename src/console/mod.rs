//! What every process serves at `console.listen`.
//!
//! # Layout
//!
//! - [`server`]: the listener and its three addresses, `/metrics`, `/healthz`, `/readyz`
//! - [`health`]: the loops' heartbeats, from which readiness follows
//! - [`access`]: who may see more than "alive" and "ready"

pub mod access;
pub mod health;
pub mod server;

pub use self::{
    access::Tokens,
    health::{Beat, Heartbeats},
    server::{BindError, Console, bind, router, serve},
};
