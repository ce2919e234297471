//! What the tests stand on.

pub mod authority;
pub mod browser;
pub mod clock;
pub mod collector;
pub mod exposition;
pub mod namespace;
pub mod prometheus;
pub mod proxy;
pub mod redis;
pub mod relay;
pub mod rows;
pub mod service;
pub mod snapshot;
pub mod sockets;
pub mod terminal;
pub mod unread;
pub mod vendors;
pub mod waiting;
