//! `supporter search` and `supporter delete`: Salsa's remaining operations, by hand.
//!
//! `calls` sends batches within the service's limit of calls, waits where Salsa says so and splits what it finds
//! too large; `search` and `delete` are the two commands.

use tokio_util::sync::CancellationToken;

use self::calls::Calls;
use super::{assemble, context::Context, usage};
use crate::{
    cli::{Global, vendor::SupporterCommand},
    exit::Exit,
};

mod calls;
mod delete;
mod search;

/// Dispatches.
pub async fn run(global: &Global, command: SupporterCommand) -> miette::Result<Exit> {
    let context = Context::load(global)?;
    let Some(salsa) = &context.config.salsa else {
        return Err(usage(
            "Salsa is switched off",
            "set salsa.enabled = true to work on its supporters",
        ));
    };
    let fleet = context.running_queue().await.map(|queue| {
        // Ctrl-C ends these commands where they stand.
        assemble::salsa_throttle(salsa, &queue, &CancellationToken::new())
    });
    if fleet.is_none() {
        tracing::warn!(
            "no Redis answers: a service that uses the same token elsewhere does not know of these calls"
        );
    }
    let calls = Calls::new(context.salsa(salsa)?, salsa.rate_per_minute, fleet);
    match command {
        SupporterCommand::Search(arguments) => {
            search::run(calls, &context.config.alumniq.timezone, arguments).await
        }
        SupporterCommand::Delete(arguments) => {
            delete::run(calls, salsa.url.as_str(), arguments).await
        }
    }
}
