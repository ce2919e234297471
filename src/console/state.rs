//! What every handler is given.

use std::sync::{Arc, OnceLock};

use super::rules::Guard;
use crate::{
    observe::{Heartbeats, metrics::Exposition},
    operations::Operations,
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
