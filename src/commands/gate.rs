//! `pause` and `resume`: the operator's hand on a destination's gate.

use miette::IntoDiagnostic;

use super::context::{Context, operator};
use crate::{
    cli::{Gate, Global},
    exit::Exit,
};

/// Shuts it until [`resume`].
pub async fn pause(global: &Global, arguments: Gate) -> miette::Result<Exit> {
    let vendor = arguments.destination;
    let context = Context::load(global)?;
    let redis = context.redis().await?;
    redis
        .queue
        .pause(vendor, &operator())
        .await
        .into_diagnostic()?;
    redis.close().await?;
    super::print(&format!(
        "{vendor} is paused for the whole fleet until `alumniq-relay resume {vendor}`\n"
    ))?;
    Ok(Exit::Good)
}

/// Opens it, whoever shut it.
pub async fn resume(global: &Global, arguments: Gate) -> miette::Result<Exit> {
    let vendor = arguments.destination;
    let context = Context::load(global)?;
    let redis = context.redis().await?;
    redis
        .queue
        .resume(vendor, &operator())
        .await
        .into_diagnostic()?;
    redis.close().await?;
    super::print(&format!("{vendor} goes on\n"))?;
    Ok(Exit::Good)
}
