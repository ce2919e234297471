//! What the tests stand on.

pub mod namespace;
pub mod redis;
pub mod rows;
pub mod snapshot;
