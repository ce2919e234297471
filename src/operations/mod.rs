//! What an operator can do, whichever way it is asked for: command line, page or API. Nothing here knows which.
//!
//! # Layout
//!
//! - [`client`]: the one interface, with its implementations on Redis and over the API; [`wire`]: requests and answers
//! - [`dead_letters`]: which ones somebody means, and pages of them
//! - `replaying`: rows that could not be read come back, too; [`bulk`]: many at a pace, by any process
//! - `editing`: a dead letter's row, edited by hand; `revealing`: who is shown what a change says
//! - [`destinations`]: what is known of each; [`overview`]: the fleet at one moment;
//!   [`allowed`]: the configured limits towards each vendor
//! - [`reconcile`]: the books against AlumnIQ's feed; [`erase`]: one person's data away
//! - [`preview`]: what the changes that AlumnIQ lists would do; [`supporters`]: calls by hand
//! - [`moment`], [`rate`], [`reason`]: when, how fast and why, as people say it; [`shapes`]: what JSON a request must have

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use jobs::{destination::Vendor, trial::DestinationMappings};
use queue::Queue;

use self::{allowed::ConfiguredLimits, wire::Campus};
use crate::pipeline::producer::Producer;

pub mod allowed;
pub mod bulk;
pub mod client;
pub mod dead_letters;
pub mod destinations;
mod editing;
pub mod erase;
pub mod error;
pub mod moment;
pub mod overview;
pub mod preview;
pub mod rate;
pub mod reason;
pub mod reconcile;
mod replaying;
mod revealing;
pub mod shapes;
pub mod supporters;
pub mod wire;

/// What the configuration says of operators' work.
pub struct OperationsConfig {
    /// `alumniq.anonymous = "match"`.
    pub anonymous_allowed: bool,
    /// The mappings of the destinations that are switched on.
    pub mappings: DestinationMappings,
    /// `acknowledge.max_wait`.
    pub max_wait: Duration,
    /// The limits towards each vendor; none towards one that is switched off.
    pub allowed: BTreeMap<Vendor, ConfiguredLimits>,
}

/// One campus, as operators work on it. The queue is private: what operators do to it has its rules here. Clones share
/// everything.
#[derive(Clone)]
pub struct Operations {
    producer: Arc<Producer>,
    config: Arc<OperationsConfig>,
}

impl Operations {
    /// On the queue of `producer`, which fetches for operators.
    pub fn new(producer: Producer, config: OperationsConfig) -> Self {
        Self {
            producer: Arc::new(producer),
            config: Arc::new(config),
        }
    }

    fn queue(&self) -> &Queue {
        &self.producer.queue
    }

    fn timezone(&self) -> &TimeZone {
        &self.producer.timezone
    }

    fn campus(&self) -> Campus {
        let settings = self.queue().settings();
        Campus {
            namespace: settings.namespace.clone(),
            timezone: self.timezone().clone(),
            destinations: settings.destinations.clone(),
        }
    }

    /// The configured limits towards a vendor that is switched on.
    fn allowed(&self, vendor: Vendor) -> Option<ConfiguredLimits> {
        self.config.allowed.get(&vendor).copied()
    }
}
