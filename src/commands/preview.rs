//! `preview`: what the changes that AlumnIQ lists would do. Prints personal data: that is what it is for. People are
//! printed block by block, so that memory does not grow with their number.

mod printing;

use std::sync::Arc;

use miette::miette;

use self::printing::Output;
use super::{context::Context, destinations, output::printed};
use crate::{
    cli::{GlobalArgs, pipeline::PreviewArgs as Arguments},
    exit::Exit,
    operations::{
        preview::{Preview, PreviewError},
        supporters::told,
    },
};

/// Looks ahead and prints.
pub async fn run(global: &GlobalArgs, arguments: Arguments) -> miette::Result<Exit> {
    let context = Context::load(global)?;
    let filter = super::asked_for(arguments.only);
    let preview = preview(&context).await?;
    let looking = preview.look(filter, arguments.limit as usize).await;
    let mut lookahead = looking.map_err(failed)?;
    let mut output = Output::new(arguments.json);
    let mut is_read = true;
    while is_read && let Some(block) = lookahead.next().await.map_err(failed)? {
        is_read = printed(&output.block(&block)?)?;
    }
    let totals = lookahead.totals();
    if is_read {
        super::print(&output.end(totals)?)?;
    }
    Ok(match totals.would_die {
        0 => Exit::Good,
        _ => Exit::NeedsAPerson,
    })
}

async fn preview(context: &Context) -> miette::Result<Preview> {
    let config = &context.config;
    let queue = context.running_queue().await?;
    let mut previews = Vec::new();
    for registration in destinations::ALL {
        previews.extend((registration.preview)(context, queue.as_ref())?);
    }
    Ok(Preview {
        client: Arc::new(context.alumniq()?),
        names: Arc::clone(&config.mappings.names),
        timezone: config.alumniq.timezone.clone(),
        lookback_days: config.alumniq.lookback_days,
        destinations: previews,
        queue,
    })
}

fn failed(error: PreviewError) -> miette::Report {
    match error {
        PreviewError::Fetch(error) => miette!(
            help = "nothing was written anywhere: fix the cause, then run the command again",
            "{error}"
        ),
        PreviewError::Destination(_, outcome) => {
            let (what, help) = told(outcome);
            miette!(help = help, "{what}")
        }
    }
}
