//! The functional core: no network, no Redis, no clock, no randomness.
//!
//! # Layout
//!
//! - [`destination`]: the two systems that changes are applied to
//! - [`change`]: an AlumnIQ row, tolerantly decoded; [`order`]: which of two changes is older
//! - [`mapping`]: row + templates -> the values of a vendor's document, every [`problem`] named;
//!   [`map_format`]: how each destination's are written; [`country`]: its codes and names; [`formats`]: emails, phones, dates
//! - [`crm_update`]: `ContactUpsertDto`, its validation and the CRM's classification table
//! - [`salsa_upsert`]: `Supporter`, its merge, validation and Salsa's classification table
//! - [`compare`]: what changes would do, before anybody does it
//! - [`acknowledge`]: `changeIdList` batches and their classification table
//! - [`reply`]: what came back from a vendor; [`outcome`]: what follows from it; [`catalogue`]: its dead letters
//!   and pauses, explained; [`redact`]: what may be shown of it; [`retry`]: delays
//! - [`call_log`]: which calls were made for a change
//! - [`trial`]: what would become of one row, and whether that is what was expected
//! - [`notice`]: what the fleet tells the outside when its state changes

pub mod acknowledge;
pub mod call_log;
pub mod catalogue;
pub mod change;
pub mod compare;
pub mod country;
pub mod crm_update;
pub mod destination;
pub mod formats;
pub mod map_format;
pub mod mapping;
pub mod notice;
pub mod order;
pub mod outcome;
pub mod problem;
pub mod redact;
pub mod reply;
pub mod retry;
pub mod salsa_upsert;
pub mod trial;
