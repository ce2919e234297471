//! What an operator can do, whichever way it is asked for: command line, page or API. Nothing here knows which.
//!
//! # Layout
//!
//! - [`allowed`]: the configured limits towards each vendor
//! - [`preview`]: what the changes that AlumnIQ lists would do
//! - [`reconcile`]: the books against AlumnIQ's feed
//! - [`erase`]: one person's data away
//! - [`replaying`]: dead letters brought back, rows that could not be read among them, or given up
//! - [`client`]: all of it for commands, on Redis or over the API; [`wire`]: what the API takes and answers
//! - [`dead_letters`]: which ones somebody means, pages and groups of them
//! - [`destinations`]: what is known of each, paused and resumed
//! - [`views`]: the fleet at a glance, one change, one person, the audit log
//! - [`editing`]: a dead letter's row, mended by hand
//! - [`bulk`]: the same with many, at a pace, by whichever process is there
//! - [`reason`]: why, in an operator's words
//! - [`revealing`]: who is shown what a change says
//! - [`shapes`]: what JSON a request must have
//! - [`moment`], [`rate`]: when and how fast, as people say it
//! - [`supporters`]: calls to Salsa that make room for the service

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use jobs::{
    change::FieldNames, crm_update::CrmMapping, destination::Vendor, salsa_upsert::SalsaMapping,
};
use queue::Queue;

use self::allowed::Allowed;
use crate::pipeline::producer::Producer;

pub mod allowed;
pub mod bulk;
pub mod client;
pub mod dead_letters;
pub mod destinations;
pub mod editing;
pub mod erase;
pub mod moment;
pub mod preview;
pub mod rate;
pub mod reason;
pub mod reconcile;
pub mod replaying;
pub mod revealing;
pub mod shapes;
pub mod supporters;
pub mod views;
pub mod wire;

/// The queue, and how this school's rows are read and mapped. Clones share everything.
#[derive(Clone)]
pub struct Operations {
    /// The queue.
    pub queue: Queue,
    /// `alumniq.fields`.
    pub names: Arc<FieldNames>,
    /// `alumniq.timezone`.
    pub timezone: TimeZone,
    /// `alumniq.anonymous = "match"`.
    pub anonymous_allowed: bool,
    /// `[crm.map]`, unless the CRM is switched off.
    pub crm: Option<Arc<CrmMapping>>,
    /// `[salsa.map]`, unless Salsa is switched off.
    pub salsa: Option<Arc<SalsaMapping>>,
    /// AlumnIQ's feed, and the way from it into the queue.
    pub producer: Arc<Producer>,
    /// `acknowledge.max_wait`.
    pub max_wait: Duration,
    /// The limits towards each vendor; none towards one that is switched off.
    pub allowed: BTreeMap<Vendor, Allowed>,
}
