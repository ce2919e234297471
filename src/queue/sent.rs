//! What was sent for a change: kept beside its dead letter, because the row alone does not show it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use jobs::destination::{Destination, Vendor};
use serde::Serialize;

use super::{Queue, QueueError};

/// Where a job puts the document that it is about to send. Clones are one.
#[derive(Clone, Default)]
pub struct SentDocument(Arc<Mutex<Option<String>>>);

impl SentDocument {
    /// This is about to be sent.
    pub fn put(&self, document: &impl Serialize) {
        // What cannot be written as JSON cannot be sent either.
        *self.lock() = serde_json::to_string(document).ok();
    }

    /// The last that was put here.
    pub fn get(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Never the document: it is personal data.
impl fmt::Debug for SentDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_there = self.lock().is_some();
        f.debug_tuple("Sent").field(&is_there).finish()
    }
}

impl Queue {
    /// The document as a settlement carries it and `sent:<v>:<id>` holds it.
    pub fn stored_document(
        &self,
        destination: Destination,
        change_id: &str,
        document: &str,
    ) -> String {
        self.seal(&["sent", destination.as_str(), change_id], document)
    }

    /// The document (JSON) that the last attempt sent before the change became a dead letter; `None` where it died
    /// before anything was sent, or there is no letter.
    pub async fn sent(
        &self,
        vendor: Vendor,
        change_id: &str,
    ) -> Result<Option<String>, QueueError> {
        let key = ["sent", vendor.as_str(), change_id];
        let stored: Option<String> = redis::cmd("GET")
            .arg(self.keys.of(&key))
            .query_async(&mut self.connection.clone())
            .await?;
        stored.map(|stored| self.open(&key, &stored)).transpose()
    }
}
