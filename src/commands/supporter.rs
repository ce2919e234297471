//! `supporter search` and `supporter delete`: Salsa's remaining operations, by hand.
//!
//! `search` and `delete` are the two commands; their calls are those of [`supporters`](crate::operations::supporters).

use super::{context::Context, destinations, usage};
use crate::{
    cli::{GlobalArgs, vendor::SupporterCommand},
    exit::Exit,
};

mod delete;
mod search;

pub use self::{delete::DeleteReport, search::SupporterSearchReport};

/// Dispatches.
pub async fn run(global: &GlobalArgs, command: SupporterCommand) -> miette::Result<Exit> {
    let context = Context::load(global)?;
    let Some(salsa) = &context.config.salsa else {
        return Err(usage(
            "Salsa is switched off",
            "set salsa.enabled = true to work on its supporters",
        ));
    };
    let calls = destinations::salsa::calls(salsa, context.running_queue().await?.as_ref())?;
    match command {
        SupporterCommand::Search(arguments) => {
            search::run(calls, &context.config.alumniq.timezone, arguments).await
        }
        SupporterCommand::Delete(arguments) => {
            delete::run(calls, salsa.url.as_str(), arguments).await
        }
    }
}
