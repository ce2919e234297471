//! Rows and documents are about people: the audit log records who is shown one.

use jobs::destination::Vendor;
use queue::{
    QueueError,
    audit::{Actor, AuditAction, Note},
};
use serde_json::Value;

use super::{Operations, wire::Row};

impl Operations {
    /// The row and the document behind a letter. The audit log records first who is shown them.
    pub(super) async fn reveal_row(
        &self,
        vendor: Vendor,
        change_id: &str,
        to: &Actor,
    ) -> Result<Row, QueueError> {
        self.reveal(vendor, change_id, to).await?;
        let row = self.queue().row(change_id).await?;
        // A row that is no JSON any more is shown as the text that it is.
        let row = row.map(|(_, record)| {
            let text = record.row.get();
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        });
        let sent = self.queue().sent(vendor, change_id).await?;
        Ok(Row {
            row: row.unwrap_or(Value::Null),
            sent: sent.and_then(|sent| serde_json::from_str(&sent).ok()),
        })
    }

    /// Records in the audit log that somebody is shown what a change says. To be called first: what can't be recorded
    /// is not shown.
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
        self.queue().note(to, AuditAction::Revealed, &note).await
    }
}
