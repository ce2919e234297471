//! `adopt-destinations`.

use super::context::Context;
use crate::{cli::GlobalArgs, exit::Exit};

/// The namespace takes over the configuration's destinations.
pub async fn run(global: &GlobalArgs) -> miette::Result<Exit> {
    let context = Context::load(global)?;
    context.open_to_adopt_destinations().await?.close().await?;
    let names: Vec<_> = context
        .destinations()
        .into_iter()
        .map(|destination| destination.as_str())
        .collect();
    super::print(&format!(
        "New changes of {} go to {}. Restart every process that is configured otherwise.\n",
        context.config.namespace.as_str(),
        names.join(", ")
    ))?;
    Ok(Exit::Good)
}
