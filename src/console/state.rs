//! What every handler is given.

use std::sync::{Arc, OnceLock};

use queue::audit::Actor;

use super::rules::Guard;
use crate::{
    observe::{Heartbeats, metrics::Exposition},
    operations::{Operations, client::Local},
};

/// What the server shows.
#[derive(Clone)]
pub struct Console {
    /// From [`install`](crate::observe::metrics::install).
    pub metrics: Exposition,
    /// The loops of this process, Redis included.
    pub heartbeats: Heartbeats,
    /// Who comes in.
    pub guard: Arc<Guard>,
    /// What its pages show and do; empty until Redis answers, and in a process without the role.
    pub operations: Arc<OnceLock<Operations>>,
}

impl Console {
    /// What somebody works with; `None` until Redis has answered once.
    pub fn client(&self, by: Actor) -> Option<Local> {
        Some(Local::new(self.operations.get()?.clone(), by))
    }
}
