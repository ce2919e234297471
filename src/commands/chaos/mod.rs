//! `chaos`: a fleet of processes under load while processes, Redis and vendors die, and whether every promise
//! held.
//!
//! - `plan`: what happens when, from the seed alone; `possible`: what can happen here
//! - `stage`: everything that takes part, and in `acts` what each act does to it
//! - `processes`, `redis`, `door`: what is killed, stopped, emptied and shut
//! - `setting`: how fleet and vendors are set; `watch`, `summary`: what was seen, and what it means

mod door;
mod plan;
mod possible;
mod processes;
mod redis;
mod setting;
mod stage;
mod summary;
mod watch;

pub use self::summary::ChaosSummary;

use miette::IntoDiagnostic;
use tokio_util::sync::CancellationToken;

use self::stage::ChaosRun;
use super::signals;
use crate::{
    cli::{GlobalArgs, chaos::ChaosArgs},
    config,
    exit::Exit,
    observe::logs,
};

/// Until every change is through, or a signal.
pub async fn run(global: &GlobalArgs, arguments: ChaosArgs) -> miette::Result<Exit> {
    let format = global.log_format.unwrap_or(config::LogFormat::Pretty);
    // What goes wrong is the point: it is told in the summary, not line by line.
    logs::init(format, global.log_flag(), Some("off")).map_err(super::misused)?;
    let interrupted = CancellationToken::new();
    signals::drain_on_signal(&interrupted)?;
    let seed = arguments
        .seed
        .unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let quiet = global.quiet || arguments.json;
    let json = arguments.json;
    let mut stage = ChaosRun::set(seed, arguments, quiet).await?;
    let ended = tokio::select! {
        ended = stage.play() => Some(ended),
        () = interrupted.cancelled() => None,
    };
    let cleared = stage.clear().await;
    let Some(ended) = ended else {
        logs::tell("interrupted: nothing is left running");
        return cleared.map(|()| signals::exit());
    };
    let summary = ended?;
    cleared?;
    super::print(&if json {
        format!("{}\n", serde_json::to_string(&summary).into_diagnostic()?)
    } else {
        summary.text()
    })?;
    Ok(if summary.held() {
        Exit::Good
    } else {
        Exit::Failed
    })
}
