//! What every process serves at `console.listen`.
//!
//! # Layout
//!
//! - [`server`]: the listener and its addresses, `/metrics`, `/healthz`, `/readyz` and `/runbook`
//! - [`api`]: the JSON API; [`pages`]: what operators see; `live`: what has changed on them
//! - [`guard`]: who comes in; [`visitor`]: who asks; [`refusal`]: how somebody is turned away
//! - [`access`]: the tokens; [`session`], `login`: what ties a browser to one; [`network`]: from where it comes
//! - `runbook`: what an operator does when an alert fires; it holds no data and needs no token

pub mod access;
pub mod api;
pub mod guard;
mod live;
mod login;
pub mod network;
pub mod pages;
pub mod refusal;
mod runbook;
pub mod server;
pub mod session;
pub mod visitor;

pub use self::{
    access::Tokens,
    guard::{Guard, Rules},
    server::{BindError, Console, bind, router, serve},
    visitor::{Operator, Role, Visitor},
};
