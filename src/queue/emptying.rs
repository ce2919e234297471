//! All keys of a namespace: are there any, and away with them. A server may hold other things, and is looked
//! through in bounded steps.

use super::{Queue, QueueError, scripts::QueueScript};

/// How many of the server's keys one step looks at.
const KEYS_A_STEP: u32 = 1_000;

impl Queue {
    /// Whether the namespace holds no key at all.
    pub async fn is_empty(&self) -> Result<bool, QueueError> {
        Ok(self.go_round(&self.scripts.is_empty, false).await? == 0)
    }

    /// Removes every key of the namespace and no other; says how many. Nobody may work on the queue
    /// meanwhile: half a queue is none that its scripts know how to handle.
    pub async fn empty(&self) -> Result<u64, QueueError> {
        let mut removed = 0;
        loop {
            let found = self.go_round(&self.scripts.empty, true).await?;
            if found == 0 {
                return Ok(removed);
            }
            removed += found;
        }
    }

    /// Once through all keys of the server; how many were the namespace's.
    async fn go_round(&self, script: &QueueScript, remove: bool) -> Result<u64, QueueError> {
        let (mut cursor, mut found) = ("0".to_owned(), 0);
        loop {
            let mut call = script.prepare_invoke();
            call.arg(&cursor).arg(KEYS_A_STEP).arg(u8::from(remove));
            let (next, keys): (String, u64) = self.run(&mut call).await?;
            found += keys;
            if next == "0" {
                return Ok(found);
            }
            cursor = next;
        }
    }
}
