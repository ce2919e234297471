//! What the tests stand on.

pub mod redis;
pub mod relay;
pub mod service;
pub mod vendors;
pub mod waiting;
