//! Rows and documents are about people: whoever is shown one stands in the audit.

use jobs::destination::Vendor;
use queue::{
    QueueError,
    audit::{Actor, AuditAction, Note},
};

use super::Operations;

impl Operations {
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
