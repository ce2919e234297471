//! What an operator's command asks for: one interface with two implementations, on Redis and over the API of a process
//! of the fleet.

mod local;
mod remote;

use jobs::destination::Vendor;
use queue::{
    QueueError,
    bulk::{BulkAction, BulkView},
    letters::{Handled, Letter, LetterGroup, LetterPage, LetterRef, Order},
    stats::Status,
    timeline::Timeline,
};
use tokio_util::sync::CancellationToken;

pub use self::{local::Local, remote::Remote};
use super::{
    bulk::NewBulk,
    dead_letters::{DeadLetterFilter, LetterName},
    destinations::Gate,
    erase::PersonErased,
    rate::Rate,
    reason::Reason,
    reconcile::{Days, Reconciled},
    wire::EraseRequest,
};

/// Why an operator's request failed.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum OperatorError {
    /// Redis did not do it.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// It was refused, or the server cannot be used.
    #[error("{message}")]
    #[diagnostic(help("{advice}"))]
    Refused {
        /// What happened.
        message: String,
        /// What to do next.
        advice: String,
    },
}

impl OperatorError {
    fn refused(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Refused {
            message: message.into(),
            advice: advice.into(),
        }
    }
}

/// What is done with dead letters.
#[derive(Debug, Clone)]
pub enum LetterAction {
    /// Back to work.
    Replay {
        /// Even over a newer change.
        apply_stale: bool,
    },
    /// Given up.
    Discard {
        /// Why.
        reason: Reason,
        /// AlumnIQ is not told.
        keep_unacknowledged: bool,
    },
}

impl LetterAction {
    /// The same with all letters that a filter matches.
    pub fn with_all(self, filter: DeadLetterFilter, rate: Option<Rate>) -> NewBulk {
        let mut new = NewBulk {
            action: BulkAction::Replay,
            filter,
            rate,
            reason: String::new(),
            apply_stale: false,
            keep_unacknowledged: false,
        };
        match self {
            Self::Replay { apply_stale } => new.apply_stale = apply_stale,
            Self::Discard {
                reason,
                keep_unacknowledged,
            } => {
                new.action = BulkAction::Discard;
                new.reason = reason.into();
                new.keep_unacknowledged = keep_unacknowledged;
            }
        }
        new
    }
}

/// What an operator's command asks for, see [`Client`].
pub(crate) trait OperatorClient {
    /// Everything at a glance.
    async fn status(&self) -> Result<Status, OperatorError>;

    /// One change; `None` where nothing is known of it.
    async fn timeline(&self, change_id: &str) -> Result<Option<Timeline>, OperatorError>;

    /// One change's dead letters.
    async fn letters_of(&self, change_id: &str) -> Result<Vec<Letter>, OperatorError>;

    /// A page of dead letters.
    async fn letters(
        &self,
        order: Order,
        filter: &DeadLetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> Result<LetterPage, OperatorError>;

    /// Dead letters by their causes, the most frequent first.
    async fn groups(&self, filter: &DeadLetterFilter) -> Result<Vec<LetterGroup>, OperatorError>;

    /// How many letters there are of those that are named, or that only the filter names.
    async fn count(
        &self,
        names: Vec<LetterName>,
        filter: &DeadLetterFilter,
    ) -> Result<u64, OperatorError>;

    /// Handles the letters that are named, as far as the filter lets them pass.
    async fn handle(
        &self,
        action: LetterAction,
        names: Vec<LetterName>,
        filter: &DeadLetterFilter,
        rate: Option<Rate>,
    ) -> Result<Handled, OperatorError>;

    /// Begins a bulk.
    async fn start_bulk(&self, new: NewBulk) -> Result<BulkView, OperatorError>;

    /// How far a bulk is.
    async fn bulk(&self, id: &str) -> Result<BulkView, OperatorError>;

    /// Ends a bulk before its next step; one that is over stays as it is.
    async fn cancel_bulk(&self, id: &str) -> Result<BulkView, OperatorError>;

    /// Works on a bulk until it is `over`, where no other process may be there to do so.
    async fn work_bulk(&self, id: &str, over: &CancellationToken);

    /// Holds a destination's changes back until somebody resumes it.
    async fn pause(&self, vendor: Vendor) -> Result<Gate, OperatorError>;

    /// Lets a destination's changes go on, whoever paused it.
    async fn resume(&self, vendor: Vendor) -> Result<Gate, OperatorError>;

    /// Holds the books against AlumnIQ's feed; `fix`: and mends what is safe to mend.
    async fn reconcile(&self, days: Days, fix: bool) -> Result<Reconciled, OperatorError>;

    /// Removes one person's data.
    async fn erase(&self, xid: &str, asked: EraseRequest) -> Result<PersonErased, OperatorError>;
}

/// Where a command's requests go.
pub enum Client {
    /// Straight to Redis.
    Local(Box<Local>),
    /// To a process that serves the API.
    Remote(Box<Remote>),
}

/// The same call of whichever it is.
macro_rules! dispatch {
    ($client:expr, $method:ident($($argument:expr),*)) => {
        match $client {
            Client::Local(local) => local.$method($($argument),*).await,
            Client::Remote(remote) => remote.$method($($argument),*).await,
        }
    };
}

impl OperatorClient for Client {
    async fn status(&self) -> Result<Status, OperatorError> {
        dispatch!(self, status())
    }

    async fn timeline(&self, change_id: &str) -> Result<Option<Timeline>, OperatorError> {
        dispatch!(self, timeline(change_id))
    }

    async fn letters_of(&self, change_id: &str) -> Result<Vec<Letter>, OperatorError> {
        dispatch!(self, letters_of(change_id))
    }

    async fn letters(
        &self,
        order: Order,
        filter: &DeadLetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> Result<LetterPage, OperatorError> {
        dispatch!(self, letters(order, filter, cursor, limit))
    }

    async fn groups(&self, filter: &DeadLetterFilter) -> Result<Vec<LetterGroup>, OperatorError> {
        dispatch!(self, groups(filter))
    }

    async fn count(
        &self,
        names: Vec<LetterName>,
        filter: &DeadLetterFilter,
    ) -> Result<u64, OperatorError> {
        dispatch!(self, count(names, filter))
    }

    async fn handle(
        &self,
        action: LetterAction,
        names: Vec<LetterName>,
        filter: &DeadLetterFilter,
        rate: Option<Rate>,
    ) -> Result<Handled, OperatorError> {
        dispatch!(self, handle(action, names, filter, rate))
    }

    async fn start_bulk(&self, new: NewBulk) -> Result<BulkView, OperatorError> {
        dispatch!(self, start_bulk(new))
    }

    async fn bulk(&self, id: &str) -> Result<BulkView, OperatorError> {
        dispatch!(self, bulk(id))
    }

    async fn cancel_bulk(&self, id: &str) -> Result<BulkView, OperatorError> {
        dispatch!(self, cancel_bulk(id))
    }

    async fn work_bulk(&self, id: &str, over: &CancellationToken) {
        dispatch!(self, work_bulk(id, over))
    }

    async fn pause(&self, vendor: Vendor) -> Result<Gate, OperatorError> {
        dispatch!(self, pause(vendor))
    }

    async fn resume(&self, vendor: Vendor) -> Result<Gate, OperatorError> {
        dispatch!(self, resume(vendor))
    }

    async fn reconcile(&self, days: Days, fix: bool) -> Result<Reconciled, OperatorError> {
        dispatch!(self, reconcile(days, fix))
    }

    async fn erase(&self, xid: &str, asked: EraseRequest) -> Result<PersonErased, OperatorError> {
        dispatch!(self, erase(xid, asked))
    }
}
