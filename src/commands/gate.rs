//! `pause` and `resume`: the operator's hand on a destination's gate.

use super::client::{ClientSession, QueueAccess};
use crate::{
    cli::{GateArgs, GlobalArgs},
    exit::Exit,
};

/// Shuts it until [`resume`].
pub async fn pause(global: &GlobalArgs, arguments: GateArgs) -> miette::Result<Exit> {
    let vendor = arguments.destination;
    let session = ClientSession::open(global, QueueAccess::Write).await?;
    session.pause(vendor).await?;
    session.close().await?;
    super::print(&format!(
        "{vendor} is paused for the whole fleet until `alumniq-relay resume {vendor}`\n"
    ))?;
    Ok(Exit::Good)
}

/// Opens it, whoever shut it.
pub async fn resume(global: &GlobalArgs, arguments: GateArgs) -> miette::Result<Exit> {
    let vendor = arguments.destination;
    let session = ClientSession::open(global, QueueAccess::Write).await?;
    session.resume(vendor).await?;
    session.close().await?;
    super::print(&format!("{vendor} goes on\n"))?;
    Ok(Exit::Good)
}
