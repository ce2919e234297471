//! Dead letters brought back, rows that could not be decoded among them.

use jobs::destination::Vendor;
use queue::{
    QueueError,
    audit::{Actor, AuditAction, Handling, Note},
    letters::Handled,
};
use serde_json::value::RawValue;

use super::Operations;
use crate::pipeline::producer::arrival;

impl Operations {
    /// Brings letters back into their lanes. `apply_stale`: even over a newer change. Rows that could not be decoded
    /// are decoded again: the configuration may know their keys by now.
    pub(super) async fn replay(
        &self,
        letters: &[(Vendor, String)],
        apply_stale: bool,
        by: &Actor,
    ) -> Result<Handled, QueueError> {
        let (mut handled, undecodable) = self.queue().replay(letters, apply_stale, by).await?;
        let again = self.read_all_again(undecodable, by, None).await?;
        handled.handled += again.handled;
        handled.gone += again.gone;
        Ok(handled)
    }

    /// A replay as a step of a bulk. Returns what the step has not counted itself.
    pub(super) async fn replay_step(
        &self,
        letters: &[(Vendor, String)],
        apply_stale: bool,
        step: Handling<'_>,
    ) -> Result<Handled, QueueError> {
        let (_, undecodable) = self.queue().replay(letters, apply_stale, step).await?;
        let bulk = step.bulk.and_then(|step| step.split(' ').next());
        self.read_all_again(undecodable, step.by, bulk).await
    }

    async fn read_all_again(
        &self,
        ids: Vec<String>,
        by: &Actor,
        bulk: Option<&str>,
    ) -> Result<Handled, QueueError> {
        let (mut read, mut gone) = (Vec::new(), 0);
        for id in ids {
            match self.read_again(&id).await? {
                true => read.push(id),
                false => gone += 1,
            }
        }
        let handled = read.len() as u64;
        if handled > 0 {
            let note = Note {
                destination: Some(Vendor::Alumniq),
                count: Some(handled),
                change_ids: &read,
                bulk,
                ..Note::default()
            };
            self.queue().note(by, AuditAction::Replayed, &note).await?;
        }
        Ok(Handled { handled, gone })
    }

    pub(super) async fn read_again(&self, id: &str) -> Result<bool, QueueError> {
        let Some((fetched_at, record)) = self.queue().row(id).await? else {
            return Ok(false);
        };
        if record.row.get() == RawValue::NULL.get() {
            tracing::warn!(
                change_id = id,
                "its row was not kept: fetch it again, then replay"
            );
            return Ok(false);
        }
        let mut change = arrival(record.row, &self.producer.names, self.timezone());
        change.replaces = Some(id.to_owned());
        // An operator's row says nothing of what AlumnIQ lists.
        if !self.queue().edits(id).await?.is_empty() {
            change.listed = None;
        }
        self.queue().enqueue(fetched_at, &[change]).await?;
        Ok(true)
    }
}
