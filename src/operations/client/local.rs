//! Straight on Redis.

use std::{sync::atomic::AtomicU64, time::Duration};

use jobs::destination::Vendor;
use queue::{
    audit::{Actor, Handling},
    bulk::BulkView,
    letters::{Handled, Letter, LetterGroup, LetterPage, LetterRef, Order},
    stats::Status,
    timeline::Timeline,
    wake::Bell,
};
use tokio_util::sync::CancellationToken;

use super::{LetterAction, OperatorClient, OperatorError};
use crate::operations::{
    Operations,
    bulk::{BulkError, NewBulk},
    dead_letters::{DeadLetterFilter, LetterName, SelectError},
    destinations::Gate,
    erase::PersonErased,
    rate::Rate,
    reason::{InvalidReason, Reason},
    reconcile::{Days, Reconciled},
    wire::EraseRequest,
};

/// The configuration's Redis, for one operator.
pub struct Local {
    /// What can be done.
    pub operations: Operations,
    /// Who does it.
    pub by: Actor,
    /// What this process calls itself where it works on a bulk.
    pub worker: String,
    /// `worker.lease`.
    pub lease: Duration,
}

impl OperatorClient for Local {
    async fn status(&self) -> Result<Status, OperatorError> {
        Ok(self.operations.status().await?)
    }

    async fn timeline(&self, change_id: &str) -> Result<Option<Timeline>, OperatorError> {
        Ok(self.operations.timeline(change_id).await?)
    }

    async fn letters_of(&self, change_id: &str) -> Result<Vec<Letter>, OperatorError> {
        Ok(self.operations.letters_of(change_id).await?)
    }

    async fn letters(
        &self,
        order: Order,
        filter: &DeadLetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> Result<LetterPage, OperatorError> {
        let letters = self.operations.letters(order, filter, cursor, limit);
        Ok(letters.await?)
    }

    async fn groups(&self, filter: &DeadLetterFilter) -> Result<Vec<LetterGroup>, OperatorError> {
        Ok(self.operations.letter_groups(filter).await?)
    }

    async fn count(
        &self,
        names: Vec<LetterName>,
        filter: &DeadLetterFilter,
    ) -> Result<u64, OperatorError> {
        match names.is_empty() {
            true => Ok(self.operations.count_letters(filter).await?),
            false => Ok(self.operations.select(&names, filter).await?.len() as u64),
        }
    }

    async fn handle(
        &self,
        action: LetterAction,
        names: Vec<LetterName>,
        filter: &DeadLetterFilter,
        rate: Option<Rate>,
    ) -> Result<Handled, OperatorError> {
        let selected = self.operations.select(&names, filter).await?;
        let mut total = Handled::default();
        let entry = AtomicU64::default();
        let handling = Handling {
            by: &self.by,
            bulk: None,
            entry: Some(&entry),
        };
        // With a rate, one at a time.
        let step = rate.map_or(selected.len().max(1), |_| 1);
        let mut pace = rate.map(|rate| tokio::time::interval(rate.interval()));
        for letters in selected.chunks(step) {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            let handled = match &action {
                LetterAction::Replay { apply_stale } => {
                    self.operations
                        .replay(letters, *apply_stale, handling)
                        .await
                }
                LetterAction::Discard {
                    reason,
                    keep_unacknowledged,
                } => {
                    self.operations
                        .discard(letters, *keep_unacknowledged, reason, handling)
                        .await
                }
            }?;
            total.handled += handled.handled;
            total.gone += handled.gone;
        }
        total.log(match action {
            LetterAction::Replay { .. } => "replayed",
            LetterAction::Discard { .. } => "discarded",
        });
        Ok(total)
    }

    async fn start_bulk(&self, new: NewBulk) -> Result<BulkView, OperatorError> {
        Ok(self.operations.start_bulk(new, self.by.clone()).await?)
    }

    async fn bulk(&self, id: &str) -> Result<BulkView, OperatorError> {
        known(id, self.operations.bulk(id).await?)
    }

    async fn cancel_bulk(&self, id: &str) -> Result<BulkView, OperatorError> {
        known(id, self.operations.cancel_bulk(id, &self.by).await?)
    }

    async fn work_bulk(&self, id: &str, over: &CancellationToken) {
        let bell = Bell::default();
        self.operations
            .work_bulks(Some(id), &self.worker, self.lease, &bell, over)
            .await;
    }

    async fn pause(&self, vendor: Vendor) -> Result<Gate, OperatorError> {
        Ok(self.operations.pause(vendor, &self.by).await?)
    }

    async fn resume(&self, vendor: Vendor) -> Result<Gate, OperatorError> {
        Ok(self.operations.resume(vendor, &self.by).await?)
    }

    async fn reconcile(&self, days: Days, fix: bool) -> Result<Reconciled, OperatorError> {
        let by = fix.then_some(&self.by);
        self.operations.reconcile(days, by).await.map_err(|error| {
            let advice =
                "what was mended by then stays mended: run the command again once that works";
            OperatorError::refused(error.to_string(), advice)
        })
    }

    async fn erase(&self, xid: &str, asked: EraseRequest) -> Result<PersonErased, OperatorError> {
        let reason = Reason::optional(&asked.reason)?;
        let erased = self
            .operations
            .erase(xid, reason.as_ref(), asked.keep_unacknowledged, &self.by)
            .await?;
        Ok(erased.into())
    }
}

fn known(id: &str, bulk: Option<BulkView>) -> Result<BulkView, OperatorError> {
    let gone = || {
        OperatorError::refused(
            format!("the bulk {id} is gone: Redis was emptied"),
            "replay again: what was handled stays so",
        )
    };
    bulk.ok_or_else(gone)
}

impl From<SelectError> for OperatorError {
    fn from(error: SelectError) -> Self {
        match error {
            SelectError::Queue(error) => error.into(),
            error => Self::refused(error.to_string(), "see `alumniq-relay dead list`"),
        }
    }
}

impl From<InvalidReason> for OperatorError {
    fn from(error: InvalidReason) -> Self {
        Self::refused(error.to_string(), "write another one with --reason")
    }
}

impl From<BulkError> for OperatorError {
    fn from(error: BulkError) -> Self {
        match error {
            BulkError::Queue(error) => error.into(),
            BulkError::Reason(error) => error.into(),
        }
    }
}
