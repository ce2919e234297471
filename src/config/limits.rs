//! What one destination admits.

use std::time::Duration;

use jobs::destination::Destination;

use super::Config;

/// A destination's limits; those of the vendor are shared by the whole fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DestinationLimits {
    /// Calls at the same time, over all processes.
    pub concurrency: u32,
    /// Calls a minute, over all processes; `None` = unlimited, or what the vendor itself says.
    pub rate_per_minute: Option<u32>,
    /// How long one call may take.
    pub timeout: Duration,
    /// Attempts before a change is a dead letter of class `exhausted`.
    pub max_attempts: u32,
}

impl Config {
    /// The limits of a destination; `None`: it is switched off.
    pub fn limits(&self, destination: Destination) -> Option<DestinationLimits> {
        match destination {
            Destination::Crm => self.crm.as_ref().map(|crm| crm.limits()),
            Destination::Salsa => self.salsa.as_ref().map(|salsa| salsa.limits()),
        }
    }
}
