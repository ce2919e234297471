//! What is stored of changes, whether they are open or closed.

use super::{Queue, QueueError};

/// How many changes one call reads.
const CHANGES_A_CALL: usize = 200;

/// What is stored of one change.
#[derive(Debug, Default)]
pub(super) struct StoredChange {
    /// The digits of its fetch and its record; empty where there is none, or it was not asked for.
    pub record: String,
    /// The marker of its end, see `lib/closed.lua`.
    pub marker: Option<String>,
    /// Its timeline, `<ms> <JSON>` an event.
    pub events: Vec<String>,
    /// Whether AlumnIQ is to be told of it.
    pub to_acknowledge: bool,
}

impl Queue {
    /// What is stored of these changes, in their order.
    pub(super) async fn stored(
        &self,
        change_ids: &[impl AsRef<str>],
        with_records: bool,
    ) -> Result<Vec<StoredChange>, QueueError> {
        let mut all = Vec::with_capacity(change_ids.len());
        for ids in change_ids.chunks(CHANGES_A_CALL) {
            let mut call = self.scripts.changes.prepare_invoke();
            call.arg(u8::from(with_records));
            for id in ids {
                call.arg(id.as_ref());
            }
            let found: Vec<(String, String, String, String)> = self.run(&mut call).await?;
            all.extend(
                found
                    .into_iter()
                    .map(|(record, marker, events, in_line)| StoredChange {
                        record,
                        marker: Some(marker).filter(|marker| !marker.is_empty()),
                        events: lines(&events),
                        to_acknowledge: !in_line.is_empty(),
                    }),
            );
        }
        Ok(all)
    }
}

fn lines(text: &str) -> Vec<String> {
    let lines = text.split('\n').filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}
