//! A bulk that a command begins and watches to its end.

use std::time::Duration;

use miette::{IntoDiagnostic, miette};
use queue::{
    bulk::{BulkAction, BulkState, BulkView},
    letters::Handled,
    wake::Bell,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Action, Desk, Ended};
use crate::{
    commands::{assemble::worker_name, progress::Progress},
    operations::{bulk::NewBulk, dead_letters::DeadLetterFilter, rate::Rate},
};

/// How soon a bulk is looked at for the first time; most are small.
const FIRST_LOOK: Duration = Duration::from_millis(20);

/// How often a bulk is looked at that takes a while.
const LOOK: Duration = Duration::from_millis(300);

impl Action {
    /// As a bulk.
    fn with_all(&self, filter: &DeadLetterFilter, rate: Option<Rate>) -> NewBulk {
        let mut new = NewBulk {
            action: BulkAction::Replay,
            filter: filter.clone(),
            rate,
            reason: String::new(),
            apply_stale: false,
            keep_unacknowledged: false,
        };
        match self {
            Self::Replay { apply_stale } => new.apply_stale = *apply_stale,
            Self::Discard {
                reason,
                keep_unacknowledged,
            } => {
                new.action = BulkAction::Discard;
                new.reason = reason.as_str().to_owned();
                new.keep_unacknowledged = *keep_unacknowledged;
            }
        }
        new
    }
}

impl Desk {
    /// Begins a bulk and watches it until it is over, or cancels it once `interrupted`. Straight on Redis this process works on
    /// it, too: none with the role console may be there.
    pub(super) async fn bulk(
        &self,
        action: &Action,
        filter: &DeadLetterFilter,
        rate: Option<Rate>,
        interrupted: &CancellationToken,
    ) -> miette::Result<Ended> {
        let begun = self.start_bulk(action.with_all(filter, rate)).await?;
        let over = CancellationToken::new();
        let watching = async {
            let _over = over.clone().drop_guard();
            self.watch(&begun, interrupted).await
        };
        let (bulk, ()) = tokio::join!(watching, self.work_bulk(&begun.id, &over));
        let bulk = bulk?;
        if let Some(error) = &bulk.error {
            return Err(miette!(
                help =
                    "the log of the process that worked on it says more; what was handled stays so",
                "the bulk {} could not go on after {} letters: {error}",
                bulk.id,
                bulk.handled
            ));
        }
        Ok(Ended {
            handled: Handled {
                handled: bulk.handled,
                gone: bulk.gone,
            },
            cancelled: bulk.state == BulkState::Cancelled,
        })
    }

    /// Shows how far a bulk is until it is over. Once `interrupted` it is cancelled.
    async fn watch(
        &self,
        begun: &BulkView,
        interrupted: &CancellationToken,
    ) -> miette::Result<BulkView> {
        let progress = Progress::of_letters(begun.total, self.is_quiet());
        let watched = interrupted.run_until_cancelled(async {
            let mut rest = FIRST_LOOK;
            loop {
                let bulk = self.bulk_view(&begun.id).await?;
                progress.at(bulk.handled + bulk.gone);
                if bulk.is_over() {
                    return Ok::<_, miette::Report>(bulk);
                }
                sleep(rest).await;
                rest = (rest * 2).min(LOOK);
            }
        });
        let bulk = match watched.await {
            Some(bulk) => bulk?,
            None => self.cancel_bulk(&begun.id).await?,
        };
        progress.finish();
        Ok(bulk)
    }

    async fn start_bulk(&self, new: NewBulk) -> miette::Result<BulkView> {
        match self {
            Self::Redis(here) => {
                let begun = here.operations.start_bulk(new, here.by.clone());
                begun.await.into_diagnostic()
            }
            Self::Server(server) => server.start_bulk(&new).await,
        }
    }

    async fn bulk_view(&self, id: &str) -> miette::Result<BulkView> {
        match self {
            Self::Redis(here) => known(id, here.operations.bulk(id).await.into_diagnostic()?),
            Self::Server(server) => server.bulk(id).await,
        }
    }

    async fn cancel_bulk(&self, id: &str) -> miette::Result<BulkView> {
        match self {
            Self::Redis(here) => {
                let cancelled = here.operations.cancel_bulk(id, &here.by).await;
                known(id, cancelled.into_diagnostic()?)
            }
            Self::Server(server) => server.cancel_bulk(id).await,
        }
    }

    /// Works on a bulk until it is `over`, as a process with the role console does; a server has its own.
    async fn work_bulk(&self, id: &str, over: &CancellationToken) {
        if let Self::Redis(here) = self {
            let (worker, bell) = (worker_name(), Bell::default());
            here.operations
                .work_bulks(Some(id), &worker, here.lease, &bell, over)
                .await;
        }
    }
}

fn known(id: &str, bulk: Option<BulkView>) -> miette::Result<BulkView> {
    bulk.ok_or_else(|| {
        miette!(
            help = "replay again: what was handled stays so",
            "the bulk {id} is gone: Redis was emptied"
        )
    })
}
