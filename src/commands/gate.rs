//! `pause` and `resume`: the operator's hand on a destination's gate.

use super::client::{Access, Session};
use crate::{
    cli::{Gate, Global},
    exit::Exit,
};

/// Shuts it until [`resume`].
pub async fn pause(global: &Global, arguments: Gate) -> miette::Result<Exit> {
    let vendor = arguments.destination;
    let session = Session::open(global, Access::Write).await?;
    session.pause(vendor).await?;
    session.close().await?;
    super::print(&format!(
        "{vendor} is paused for the whole fleet until `alumniq-relay resume {vendor}`\n"
    ))?;
    Ok(Exit::Good)
}

/// Opens it, whoever shut it.
pub async fn resume(global: &Global, arguments: Gate) -> miette::Result<Exit> {
    let vendor = arguments.destination;
    let session = Session::open(global, Access::Write).await?;
    session.resume(vendor).await?;
    session.close().await?;
    super::print(&format!("{vendor} goes on\n"))?;
    Ok(Exit::Good)
}
