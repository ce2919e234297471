//! What is shipped in `deploy/prometheus`: held against the code, and against a real Prometheus with a real fleet.
//!
//! What each alert waits for is told by promtool's unit tests beside the rules (`deploy/prometheus/tests`).

mod fleet;
mod rules;
