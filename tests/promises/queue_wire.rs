//! What lies in Redis.
