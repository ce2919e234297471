//! What operators do and look at: one interface for pages, API and commands, with two implementations, on Redis and over
//! the API of a process of the fleet.

mod local;
mod remote;

use async_trait::async_trait;
use jobs::destination::Vendor;
use queue::{
    audit::{AuditFilter, AuditPage},
    bulk::BulkView,
    letters::{DeadLetterOrder, Letter, LetterGroup, LetterPage, LetterRef},
    person::PersonCursor,
    stats::Status,
    timeline::Timeline,
};
use tokio_util::sync::CancellationToken;

pub use self::{local::Local, remote::Remote};
use super::{
    bulk::NewBulk,
    dead_letters::DeadLetterFilter,
    destinations::{Destinations, Gate},
    erase::PersonErased,
    error::OperatorError,
    overview::Overview,
    reconcile::{Days, Reconciled},
    wire::{
        Campus, DiscardRequest, Draft, EditDone, EraseRequest, LettersHandled, NewValues, Person,
        ReplayRequest, Row,
    },
};

/// One operator's view of a campus. Who that is, the implementation knows.
#[async_trait]
pub trait OperatorClient: Send + Sync {
    /// What has to be known of the campus before anything else.
    async fn campus(&self) -> Result<Campus, OperatorError>;

    /// What the overview shows, read at one moment.
    async fn overview(&self) -> Result<Overview, OperatorError>;

    /// Everything at a glance.
    async fn status(&self) -> Result<Status, OperatorError>;

    /// Every destination, AlumnIQ included.
    async fn destinations(&self) -> Result<Destinations, OperatorError>;

    /// Holds a destination's changes back, for the whole fleet, until somebody resumes it.
    async fn pause(&self, vendor: Vendor) -> Result<Gate, OperatorError>;

    /// Lets a destination's changes go on, no matter who paused it.
    async fn resume(&self, vendor: Vendor) -> Result<Gate, OperatorError>;

    /// One change; `None` where nothing is known of it.
    async fn timeline(&self, change_id: &str) -> Result<Option<Timeline>, OperatorError>;

    /// A page of one person's changes.
    async fn person(
        &self,
        xid: &str,
        cursor: Option<&PersonCursor>,
        limit: usize,
    ) -> Result<Person, OperatorError>;

    /// Removes one person's data.
    async fn erase(&self, xid: &str, asked: EraseRequest) -> Result<PersonErased, OperatorError>;

    /// A page of dead letters.
    async fn letters(
        &self,
        order: DeadLetterOrder,
        filter: &DeadLetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> Result<LetterPage, OperatorError>;

    /// Dead letters by their causes, the most frequent first.
    async fn groups(&self, filter: &DeadLetterFilter) -> Result<Vec<LetterGroup>, OperatorError>;

    /// One dead letter.
    async fn letter(&self, vendor: Vendor, change_id: &str) -> Result<Letter, OperatorError>;

    /// The row behind a dead letter, and what was sent before it died. The audit log records who looks.
    async fn row(&self, vendor: Vendor, change_id: &str) -> Result<Row, OperatorError>;

    /// The row behind a dead letter, as an edit begins with it. The audit log records who looks, once an hour.
    async fn draft(&self, vendor: Vendor, change_id: &str) -> Result<Draft, OperatorError>;

    /// Edits the row behind a dead letter and replays it, unless it would only die again.
    async fn edit(
        &self,
        vendor: Vendor,
        change_id: &str,
        asked: NewValues,
    ) -> Result<EditDone, OperatorError>;

    /// Puts dead letters back to work, or counts them.
    async fn replay(&self, asked: ReplayRequest) -> Result<LettersHandled, OperatorError>;

    /// Gives dead letters up, or counts them.
    async fn discard(&self, asked: DiscardRequest) -> Result<LettersHandled, OperatorError>;

    /// The newest bulks first.
    async fn bulks(&self) -> Result<Vec<BulkView>, OperatorError>;

    /// Begins a bulk.
    async fn start_bulk(&self, new: NewBulk) -> Result<BulkView, OperatorError>;

    /// How far a bulk is.
    async fn bulk(&self, id: &str) -> Result<BulkView, OperatorError>;

    /// Ends a bulk before its next step; one that is over stays as it is.
    async fn cancel_bulk(&self, id: &str) -> Result<BulkView, OperatorError>;

    /// Works on a bulk until it is `over`, where no other process may be there to do so.
    async fn work_bulk(&self, id: &str, over: &CancellationToken);

    /// Holds the books against AlumnIQ's feed; `fix`: and repairs what is safe to repair.
    async fn reconcile(&self, days: Days, fix: bool) -> Result<Reconciled, OperatorError>;

    /// A page of the audit log, the newest entries first.
    async fn audit(
        &self,
        filter: &AuditFilter,
        cursor: Option<u64>,
        limit: usize,
    ) -> Result<AuditPage, OperatorError>;
}
