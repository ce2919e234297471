//! queue

pub mod embedded;
