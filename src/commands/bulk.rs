//! A bulk that a command begins and watches to its end.

use std::time::Duration;

use miette::miette;
use queue::{
    bulk::{BulkState, BulkView},
    letters::Handled,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{client::ClientSession, progress::ProgressDisplay};
use crate::operations::{bulk::NewBulk, error::OperatorError};

/// How soon a bulk is looked at for the first time; most are small.
const FIRST_LOOK: Duration = Duration::from_millis(20);

/// How often a bulk is looked at that takes a while.
const LOOK: Duration = Duration::from_millis(300);

/// How an action ended.
#[derive(Debug, Clone, Copy)]
pub struct BulkResult {
    /// What became of the letters.
    pub handled: Handled,
    /// Somebody called it off: the rest stays as it is.
    pub cancelled: bool,
}

/// Begins a bulk and watches it until it is over, or cancels it once `interrupted`. Straight on Redis this process works on it,
/// too: none with the role console may be there.
pub async fn carry_out(
    session: &ClientSession,
    new: NewBulk,
    interrupted: &CancellationToken,
) -> miette::Result<BulkResult> {
    let begun = session.start_bulk(new).await?;
    let over = CancellationToken::new();
    let watching = async {
        let _over = over.clone().drop_guard();
        watch(session, &begun, interrupted).await
    };
    let (bulk, ()) = tokio::join!(watching, session.work_bulk(&begun.id, &over));
    let bulk = bulk?;
    if let Some(error) = &bulk.error {
        return Err(miette!(
            help = "the log of the process that worked on it says more; what was handled stays so",
            "the bulk {} could not go on after {} letters: {error}",
            bulk.id,
            bulk.handled
        ));
    }
    Ok(BulkResult {
        handled: Handled {
            handled: bulk.handled,
            gone: bulk.gone,
        },
        cancelled: bulk.state == BulkState::Cancelled,
    })
}

/// Shows how far a bulk is until it is over. Once `interrupted` it is cancelled.
async fn watch(
    session: &ClientSession,
    begun: &BulkView,
    interrupted: &CancellationToken,
) -> miette::Result<BulkView> {
    let progress = ProgressDisplay::of_letters(begun.total, session.is_quiet);
    let watched = interrupted.run_until_cancelled(async {
        let mut rest = FIRST_LOOK;
        loop {
            let bulk = session.bulk(&begun.id).await?;
            progress.at(bulk.handled + bulk.gone);
            if bulk.is_over() {
                return Ok::<_, OperatorError>(bulk);
            }
            sleep(rest).await;
            rest = (rest * 2).min(LOOK);
        }
    });
    let bulk = match watched.await {
        Some(bulk) => bulk?,
        None => session.cancel_bulk(&begun.id).await?,
    };
    progress.finish();
    Ok(bulk)
}
