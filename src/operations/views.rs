//! What is known: the fleet at a glance, one change, one person, the audit log.

use jobs::destination::Destination;
use queue::{
    QueueError,
    audit::{AuditFilter, AuditPage},
    letters::Letter,
    person::{PersonCursor, PersonPage},
    stats::Status,
    timeline::Timeline,
    watched::Seen,
};

use super::Operations;

impl Operations {
    /// The queue's namespace.
    pub fn namespace(&self) -> &str {
        &self.queue.settings().namespace
    }

    /// Which destinations are switched on.
    pub fn enabled(&self) -> &[Destination] {
        &self.queue.settings().destinations
    }

    /// Everything at a glance.
    pub async fn status(&self) -> Result<Status, QueueError> {
        let mut status = self.queue.status().await?;
        status.writes_refused = self.queue.refuses_writes().await;
        Ok(status)
    }

    /// What the pages show of the fleet, read at one moment.
    pub async fn watched(&self) -> Result<Seen, QueueError> {
        self.queue.watched().await
    }

    /// One change; `None` where nothing is known of it.
    pub async fn timeline(&self, change_id: &str) -> Result<Option<Timeline>, QueueError> {
        self.queue.timeline(change_id).await
    }

    /// One change's dead letters.
    pub async fn letters_of(&self, change_id: &str) -> Result<Vec<Letter>, QueueError> {
        self.queue.letters_of(change_id).await
    }

    /// A page of one person's changes.
    pub async fn person(
        &self,
        xid: &str,
        cursor: Option<&PersonCursor>,
        limit: usize,
    ) -> Result<PersonPage, QueueError> {
        self.queue.person(xid, cursor, limit).await
    }

    /// A page of the audit log, the newest entries first.
    pub async fn audit(
        &self,
        cursor: Option<u64>,
        limit: usize,
        filter: &AuditFilter,
    ) -> Result<AuditPage, QueueError> {
        self.queue.audit(cursor, limit, filter).await
    }
}
