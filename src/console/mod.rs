//! What every process serves at `console.listen`.
//!
//! # Layout
//!
//! - [`server`]: the listener and its addresses, `/metrics`, `/healthz`, `/readyz` and `/runbook`
//! - [`api`]: the JSON API; [`pages`]: what operators see; `live`: what has changed on them
//! - [`state`]: what every handler is given
//! - [`rules`]: who may come in, [`guard`]: the doors; [`visitor`]: who asks, in which [`role`]; [`refusal`]: how somebody is turned away
//! - `paths`: where one logs in and out
//! - [`access`]: the tokens; [`session`], `login`: what ties a browser to one; [`network`]: from where it comes
//! - `runbook`: what an operator does when an alert fires; it holds no data and needs no token

pub mod access;
pub mod api;
pub mod guard;
mod live;
mod login;
pub mod network;
pub mod pages;
mod paths;
pub mod refusal;
pub mod role;
pub mod rules;
mod runbook;
pub mod server;
pub mod session;
pub mod state;
pub mod visitor;

pub use self::{
    access::ConsoleTokens,
    role::ConsoleRole,
    rules::{Guard, Rules},
    server::{BindError, bind, router, serve},
    state::Console,
    visitor::{Operator, Visitor},
};
