//! Dead letters: brought back, or given up.

use jobs::destination::Vendor;
use serde_json::value::RawValue;

use super::Operations;
use crate::{
    queue::{QueueError, audit::Actor, letters::Handled},
    workers::producer::arrival,
};

impl Operations {
    /// Brings letters back into their lanes. `forced`: even over a newer change. Rows that could not be decoded
    /// are decoded again: the configuration may know their keys by now.
    pub async fn replay(
        &self,
        letters: &[(Vendor, String)],
        forced: bool,
        by: &Actor,
    ) -> Result<Handled, QueueError> {
        let (mut handled, undecodable) = self.queue.replay(letters, forced, by).await?;
        for id in undecodable {
            match self.read_again(&id).await? {
                true => handled.handled += 1,
                false => handled.gone += 1,
            }
        }
        Ok(handled)
    }

    async fn read_again(&self, id: &str) -> Result<bool, QueueError> {
        let Some((fetched_at, record)) = self.queue.row(id).await? else {
            return Ok(false);
        };
        if record.row.get() == RawValue::NULL.get() {
            tracing::warn!(
                change_id = id,
                "its row was not kept: fetch it again, then replay"
            );
            return Ok(false);
        }
        let mut change = arrival(record.row, &self.names, &self.timezone);
        change.replaces = Some(id.to_owned());
        self.queue.enqueue(fetched_at, &[change]).await?;
        Ok(true)
    }
}
