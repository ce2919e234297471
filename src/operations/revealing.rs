//! Rows and documents are about people: the audit log records who is shown one.

use jiff::{SignedDuration, Timestamp};
use jobs::destination::Vendor;
use queue::{
    QueueError,
    audit::{Actor, AuditAction, AuditFilter, Note},
};
use serde_json::Value;

use super::{Operations, editing::version, wire::Row};

impl Operations {
    /// The row and the document behind a letter. The audit log records first who is shown them.
    pub(super) async fn reveal_row(
        &self,
        vendor: Vendor,
        change_id: &str,
        to: &Actor,
    ) -> Result<Row, QueueError> {
        self.reveal(vendor, change_id, to).await?;
        let kept = self.queue().row(change_id).await?;
        let text = kept.as_ref().map(|(_, record)| record.row.get());
        let sent = self.queue().sent(vendor, change_id).await?;
        Ok(Row {
            // A row that is no JSON any more is shown as the text that it is.
            row: text.map_or(Value::Null, |text| {
                serde_json::from_str(text).unwrap_or_else(|_| text.into())
            }),
            version: text.map(version),
            sent: sent.and_then(|sent| serde_json::from_str(&sent).ok()),
        })
    }

    /// Records in the audit log that somebody is shown what a change says. To be called first: what can't be recorded
    /// is not shown.
    async fn reveal(&self, vendor: Vendor, change_id: &str, to: &Actor) -> Result<(), QueueError> {
        let note = Note {
            destination: Some(vendor),
            count: Some(1),
            change_ids: &[change_id.to_owned()],
            ..Note::default()
        };
        self.queue().note(to, AuditAction::Revealed, &note).await
    }

    /// The same for somebody who looks again and again while they edit: once an hour.
    pub(super) async fn reveal_hourly(
        &self,
        vendor: Vendor,
        change_id: &str,
        to: &Actor,
    ) -> Result<(), QueueError> {
        let filter = AuditFilter {
            by: Some(to.name.clone()),
            action: Some(AuditAction::Revealed),
            change_id: Some(change_id.to_owned()),
        };
        let known = self.queue().audit(None, 1, &filter).await?.items;
        let at = known.first().and_then(|entry| entry.at.parse().ok());
        let is_known = at.is_some_and(|at: Timestamp| {
            Timestamp::now().duration_since(at) < SignedDuration::from_hours(1)
        });
        match is_known {
            true => Ok(()),
            false => self.reveal(vendor, change_id, to).await,
        }
    }
}
