//! The promises, each with tests that try to break it.
//!
//! In one process, step by step:
//!
//! - `queue_model`: random interleavings of every transition, compared with a plain model after each step
//! - `queue_aborts`: every transition is cut short at each Redis command that it calls, and repaired
//! - `queue_promises`: pointed tests, each named for its claim
//! - `telling`: what AlumnIQ refuses, and in which order it is told
//! - `queue_wire`: what lies in Redis is read by the next version too
//!
//! With processes of the built program, a real Redis and simulated vendors:
//!
//! - `pipeline`, `variants`: the whole way, undisturbed and as configured
//! - `commands`: what people and scripts see
//! - `previewing`, `reconciling`: what changes would do; the books against AlumnIQ's feed
//! - `chaos`: all of the following at once, under load
//! - `crashes`, `draining`, `outages`: processes, Redis and vendors stop
//! - `full`, `redis_away`: Redis has no room, or refuses, or falls silent; `fitness`: what is said of it before
//! - `cluster`: campuses on a Redis Cluster
//! - `rights`: what the user of Redis must be allowed, and that nothing starts with less
//! - `resting`: what a fleet costs that has nothing to do, and that it hears of everything nevertheless
//! - `hostile`: ids, rows and feeds that mean harm
//! - `producing`: who fetches, and when: leaders that are killed, stopped and cut off, midnight, wrong clocks
//! - `bad_config`, `bad_data`: each wrong thing gets a clear error, and nothing is lost
//! - `acknowledging`: several acknowledgers, and the order in which AlumnIQ is told
//! - `api`: the JSON API, bulks, and commands with `--server`
//! - `letters`: what an operator does with dead letters
//! - `stale`: an older change never overwrites a newer one
//! - `limits`, `starvation`: the vendors' limits are shared, used and followed, and nobody waits behind others
//! - `browser`: what operators see and do in a real Chromium
//! - `dashboard`: Grafana's dashboard: its form, and what a real Prometheus answers to its queries
//! - `transport`: TLS and proxies on the way to the vendors and to Redis
//! - `metrics`: a fleet scraped as one, against what the vendors saw; the file for cron
//! - `monitoring`: a real Prometheus with the shipped rules sees a fleet, and its alerts
//! - `notifying`: the operators' webhook is told of changes of state, once
//! - `mapping_tools`: the mapping tried, tested and linted; `terminal`: what a terminal shows; `printed`: JSON as its
//!   schemas say
//! - `watching`, `privacy`: what a process shows, and what it must not; `tracing`: what logs and traces tell
//! - `guarding`: who comes in at the console, and every way around that
//! - `guards`: what every command that can write to the queue is refused for
//! - `secrecy`: what Redis holds of people, byte by byte: encryption, erasure, retention
//! - `readme`: the commands that the README shows
//! - `soak`: an hour of steady load, by hand

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod acknowledging;
mod api;
mod bad_config;
mod bad_data;
mod browser;
mod chaos;
mod cluster;
mod commands;
mod corrected;
mod crashes;
mod dashboard;
mod draining;
mod fitness;
mod full;
mod guarding;
mod guards;
mod hostile;
mod letters;
mod limits;
mod mapping_tools;
mod metrics;
mod monitoring;
mod notifying;
mod outages;
mod pipeline;
mod previewing;
mod printed;
mod privacy;
mod producing;
mod queue_aborts;
mod queue_model;
mod queue_promises;
mod queue_wire;
mod readme;
mod reconciling;
mod redis_away;
mod resting;
mod rights;
mod secrecy;
mod sharing;
mod soak;
mod stale;
mod starvation;
mod telling;
mod terminal;
mod tracing;
mod transport;
mod variants;
mod watching;
