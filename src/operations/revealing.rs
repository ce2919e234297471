//! Rows and documents are about people: whoever is shown one stands in the audit.

use jobs::destination::Vendor;
use queue::{
    QueueError, Record,
    audit::{Actor, AuditAction, Note},
};

use super::Operations;

/// What a dead letter holds of a person.
pub struct Revealed {
    /// As AlumnIQ sent it, or as it was edited since; `None` where it is not kept.
    pub row: Option<Record>,
    /// The document of the last attempt, where one was sent.
    pub sent: Option<String>,
}

impl Operations {
    /// The row and the document behind a letter. Who is shown them is written down first.
    pub async fn reveal_row(
        &self,
        vendor: Vendor,
        change_id: &str,
        to: &Actor,
    ) -> Result<Revealed, QueueError> {
        self.reveal(vendor, change_id, to).await?;
        let row = self.queue.row(change_id).await?;
        Ok(Revealed {
            row: row.map(|(_, record)| record),
            sent: self.queue.sent(vendor, change_id).await?,
        })
    }

    /// Writes down that somebody is shown what a change says. To be called first: what cannot be written down is
    /// not shown.
    pub async fn reveal(
        &self,
        vendor: Vendor,
        change_id: &str,
        to: &Actor,
    ) -> Result<(), QueueError> {
        let note = Note {
            destination: Some(vendor),
            count: Some(1),
            change_ids: &[change_id.to_owned()],
            ..Note::default()
        };
        self.queue.note(to, AuditAction::Revealed, &note).await
    }
}
