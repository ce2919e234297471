//! A fleet of processes under load while processes, Redis and vendors die, and whether every promise held.
//!
//! - `plan`: what happens when, from the seed alone; `fault`, `possible`: what can happen at all, and here
//! - `run`: everything that takes part, and in `acts` what each act does to it
//! - `processes`, `redis`, `door`: what is killed, stopped, emptied and shut
//! - `setting`: how fleet and vendors are set; `watch`, `summary`: what was seen, and what it means

mod door;
mod fault;
mod plan;
mod possible;
mod processes;
mod redis;
mod run;
mod setting;
mod summary;
mod watch;

pub use self::{
    fault::ChaosFault,
    possible::LeftOut,
    processes::FleetProgram,
    run::{ChaosEvent, ChaosOptions, ChaosRun},
    setting::ATTEMPTS,
    summary::{ChaosSummary, Counts, Done},
    watch::dead_changes,
};
