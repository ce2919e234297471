//! Straight on Redis.

use async_trait::async_trait;
use jobs::destination::Vendor;
use queue::{
    audit::{Actor, AuditFilter, AuditPage},
    bulk::BulkView,
    letters::{DeadLetterOrder, Letter, LetterGroup, LetterPage, LetterRef},
    person::PersonCursor,
    stats::Status,
    timeline::Timeline,
    wake::Bell,
};
use tokio_util::sync::CancellationToken;

use super::OperatorClient;
use crate::operations::{
    Operations,
    bulk::NewBulk,
    dead_letters::DeadLetterFilter,
    destinations::{Destinations, Gate},
    editing::{EditOutcome, version},
    erase::PersonErased,
    error::{OperatorError, RefusalKind},
    overview::Overview,
    reason::Reason,
    reconcile::{Days, Reconciled},
    wire::{
        Campus, DiscardRequest, Draft, EditDone, EraseRequest, LettersHandled, NewValues, Person,
        ReplayRequest, Row,
    },
};

/// The configuration's Redis, for one operator.
#[derive(Clone)]
pub struct Local {
    operations: Operations,
    by: Actor,
}

impl Local {
    /// What `by` works with.
    pub fn new(operations: Operations, by: Actor) -> Self {
        Self { operations, by }
    }
}

#[async_trait]
impl OperatorClient for Local {
    async fn campus(&self) -> Result<Campus, OperatorError> {
        Ok(self.operations.campus())
    }

    async fn overview(&self) -> Result<Overview, OperatorError> {
        Ok(self.operations.overview().await?)
    }

    async fn status(&self) -> Result<Status, OperatorError> {
        let queue = self.operations.queue();
        let mut status = queue.status().await?;
        status.writes_refused = queue.refuses_writes().await;
        Ok(status)
    }

    async fn destinations(&self) -> Result<Destinations, OperatorError> {
        Ok(self.operations.destinations().await?)
    }

    async fn pause(&self, vendor: Vendor) -> Result<Gate, OperatorError> {
        self.operations.queue().pause(vendor, &self.by).await?;
        Ok(Gate {
            destination: vendor,
            paused: true,
        })
    }

    async fn resume(&self, vendor: Vendor) -> Result<Gate, OperatorError> {
        self.operations.queue().resume(vendor, &self.by).await?;
        Ok(Gate {
            destination: vendor,
            paused: false,
        })
    }

    async fn timeline(&self, change_id: &str) -> Result<Option<Timeline>, OperatorError> {
        Ok(self.operations.queue().timeline(change_id).await?)
    }

    async fn person(
        &self,
        xid: &str,
        cursor: Option<&PersonCursor>,
        limit: usize,
    ) -> Result<Person, OperatorError> {
        let page = self.operations.queue().person(xid, cursor, limit).await?;
        Ok(Person {
            xid: xid.to_owned(),
            changes: page.changes,
            next: page.next,
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

    async fn letters(
        &self,
        order: DeadLetterOrder,
        filter: &DeadLetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> Result<LetterPage, OperatorError> {
        let letters = self.operations.letters(order, filter, cursor, limit);
        Ok(letters.await?)
    }

    async fn groups(&self, filter: &DeadLetterFilter) -> Result<Vec<LetterGroup>, OperatorError> {
        let filter = filter.resolve(self.operations.timezone());
        Ok(self.operations.queue().letter_groups(&filter).await?)
    }

    async fn letter(&self, vendor: Vendor, change_id: &str) -> Result<Letter, OperatorError> {
        let letter = self.operations.queue().letter(vendor, change_id).await?;
        letter.ok_or_else(|| no_letter(vendor, change_id))
    }

    async fn row(&self, vendor: Vendor, change_id: &str) -> Result<Row, OperatorError> {
        self.letter(vendor, change_id).await?;
        let row = self.operations.reveal_row(vendor, change_id, &self.by);
        Ok(row.await?)
    }

    async fn draft(&self, vendor: Vendor, change_id: &str) -> Result<Draft, OperatorError> {
        self.letter(vendor, change_id).await?;
        let draft = self.operations.draft(vendor, change_id, &self.by);
        Ok(draft.await?)
    }

    async fn edit(
        &self,
        vendor: Vendor,
        change_id: &str,
        asked: NewValues,
    ) -> Result<EditDone, OperatorError> {
        if asked.fields.is_empty() {
            return Err(OperatorError::invalid_field("fields", "name at least one"));
        }
        self.letter(vendor, change_id).await?;
        let gone = || no_letter(vendor, change_id);
        if asked.dry_run {
            let shown = self.operations.reveal_hourly(vendor, change_id, &self.by);
            shown.await?;
        }
        let kept = self.operations.queue().row(change_id).await?;
        let (_, record) = kept.ok_or_else(gone)?;
        if asked
            .version
            .is_some_and(|seen| seen != version(record.row.get()))
        {
            return Err(changed());
        }
        if asked.dry_run {
            let tried = self.operations.try_edit(vendor, &record, &asked.fields);
            return Ok(tried?);
        }
        let edited = self
            .operations
            .edit(vendor, change_id, &record, &asked.fields, &self.by);
        match edited.await? {
            EditOutcome::Replayed => Ok(EditDone {
                replayed: true,
                would_send: None,
                unedited: None,
                unedited_refused: None,
            }),
            EditOutcome::Changed => Err(changed()),
            EditOutcome::Gone => Err(gone()),
        }
    }

    async fn replay(&self, asked: ReplayRequest) -> Result<LettersHandled, OperatorError> {
        let selected = self
            .operations
            .selected(&asked.ids, asked.filter.as_ref(), asked.dry_run);
        let (letters, total) = selected.await?;
        if asked.dry_run {
            return Ok(LettersHandled::counted(total));
        }
        let replayed = self
            .operations
            .replay(&letters, asked.apply_stale, &self.by);
        let handled = replayed.await?;
        Ok(LettersHandled::handled(handled, total, letters.len()))
    }

    async fn discard(&self, asked: DiscardRequest) -> Result<LettersHandled, OperatorError> {
        let selected = self
            .operations
            .selected(&asked.ids, asked.filter.as_ref(), asked.dry_run);
        let (letters, total) = selected.await?;
        if asked.dry_run {
            return Ok(LettersHandled::counted(total));
        }
        let reason: Reason = asked.reason.parse()?;
        let queue = self.operations.queue();
        let discarded = queue.discard(
            &letters,
            asked.keep_unacknowledged,
            reason.as_str(),
            &self.by,
        );
        let handled = discarded.await?;
        Ok(LettersHandled::handled(handled, total, letters.len()))
    }

    async fn bulks(&self) -> Result<Vec<BulkView>, OperatorError> {
        Ok(self.operations.queue().bulks().await?)
    }

    async fn start_bulk(&self, new: NewBulk) -> Result<BulkView, OperatorError> {
        let id = self.operations.start_bulk(new, &self.by).await?;
        self.bulk(&id).await
    }

    async fn bulk(&self, id: &str) -> Result<BulkView, OperatorError> {
        let bulk = self.operations.queue().bulk(id).await?;
        bulk.ok_or_else(|| {
            OperatorError::refused(
                RefusalKind::NotFound,
                format!("there is no bulk {id}"),
                "only the newest hundred are known; what a bulk handled stays so",
            )
        })
    }

    async fn cancel_bulk(&self, id: &str) -> Result<BulkView, OperatorError> {
        self.operations.queue().cancel_bulk(id, &self.by).await?;
        self.bulk(id).await
    }

    async fn work_bulk(&self, id: &str, over: &CancellationToken) {
        let bell = Bell::default();
        self.operations.work_bulks(Some(id), &bell, over).await;
    }

    async fn reconcile(&self, days: Days, fix: bool) -> Result<Reconciled, OperatorError> {
        let by = fix.then_some(&self.by);
        Ok(self.operations.reconcile(days, by).await?)
    }

    async fn audit(
        &self,
        filter: &AuditFilter,
        cursor: Option<u64>,
        limit: usize,
    ) -> Result<AuditPage, OperatorError> {
        Ok(self.operations.queue().audit(cursor, limit, filter).await?)
    }
}

fn changed() -> OperatorError {
    OperatorError::refused(
        RefusalKind::Conflict,
        "this record changed meanwhile: somebody was faster, or AlumnIQ sent it anew",
        "look at it again, then decide; nothing was changed",
    )
}

fn no_letter(vendor: Vendor, change_id: &str) -> OperatorError {
    OperatorError::refused(
        RefusalKind::NotFound,
        format!("change {change_id} has no dead letter at {vendor} (any more)"),
        "see the list of dead letters, or the change's timeline",
    )
}
