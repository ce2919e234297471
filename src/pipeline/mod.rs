//! Jobs and clients put together: each role turns what the queue gives it into vendors' calls and their
//! replies into outcomes.
//!
//! # Layout
//!
//! - [`producer`] fetches, [`crm`] and [`salsa`] apply, [`acknowledger`] tells AlumnIQ
//! - [`rows`]: from a leased record to a decoded change; [`throttle`]: calls a minute, fleet-wide;
//!   [`salsa_limits`]: asks Salsa for them
//! - [`attempts`]: what came of each attempt, counted, logged and traced
//! - [`roles`]: which roles a process has; [`fleet`]: runs them until told to stop;
//!   [`publisher`]: their gauges; [`notifier`]: tells the operators

pub mod acknowledger;
pub mod attempts;
pub mod crm;
pub mod fleet;
pub mod notifier;
pub mod producer;
pub mod publisher;
pub mod roles;
pub mod rows;
pub mod salsa;
pub mod salsa_limits;
pub mod throttle;
