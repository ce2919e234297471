//! The newest calls to each vendor, whoever made them, and what is known of its limits.

use jobs::destination::Vendor;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{ClassifyForPeople, Queue, QueueError, timestamp::rfc3339};

/// A call to a vendor. Nothing of people is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecentCall {
    /// Whom.
    pub vendor: Vendor,
    /// What for: `fetch`, `update`, `put`, …
    pub operation: String,
    /// The HTTP status, `unreachable` or `lost`.
    pub status: String,
    /// How long it took.
    pub ms: u64,
    /// How many changes it was made for.
    pub changes: u64,
    /// When it began, RFC 3339.
    pub at: String,
    /// Our name of it.
    pub request_id: String,
    /// Which process made it.
    pub worker: String,
}

/// The fields `rate`, `batch` and `at` of `limits:<v>`.
pub(super) type Told = (Option<u32>, Option<u32>, Option<u64>);

/// What is known of a vendor's limits beside the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VendorLimits {
    /// Calls a minute, as the vendor said.
    pub told_rate: Option<u32>,
    /// Items a call, as the vendor said.
    pub told_batch: Option<u32>,
    /// When it said so, RFC 3339.
    pub told_at: Option<String>,
    /// Places for calls that are taken: those of the last minute, and those under way.
    pub places_used: u64,
}

impl RecentCall {
    pub(super) fn stored(&self, worker: &str) -> String {
        let mut call = json!(self);
        call["worker"] = worker.into();
        call.to_string()
    }
}

impl Queue {
    /// The newest calls to a vendor, newest first, as far as processes have told of them: they do every few seconds.
    pub async fn recent_calls(&self, vendor: Vendor) -> Result<Vec<RecentCall>, QueueError> {
        let stored: Vec<String> = redis::cmd("LRANGE")
            .arg(self.keys.of(&["calls", vendor.as_str()]))
            .arg(0)
            .arg(-1)
            .query_async(&mut self.connection.clone())
            .await?;
        read(stored)
    }

    /// What is known of a vendor's limits.
    pub async fn limits(&self, vendor: Vendor) -> Result<VendorLimits, QueueError> {
        let now = self.now().await?;
        let (told, places_used): (Told, u64) = redis::pipe()
            .cmd("HMGET")
            .arg(self.keys.of(&["limits", vendor.as_str()]))
            .arg(&["rate", "batch", "at"])
            .zcount(
                self.keys.of(&["places", vendor.as_str()]),
                format!("({now}"),
                "+inf",
            )
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(VendorLimits::read(told, places_used))
    }
}

impl VendorLimits {
    pub(super) fn read((told_rate, told_batch, told_at): Told, places_used: u64) -> Self {
        Self {
            told_rate,
            told_batch,
            told_at: told_at.map(rfc3339),
            places_used,
        }
    }
}

/// Calls as they are stored, the newest first.
pub(super) fn read(stored: Vec<String>) -> Result<Vec<RecentCall>, QueueError> {
    let mut calls = Vec::with_capacity(stored.len());
    for call in stored {
        let call: RecentCall = serde_json::from_str(&call)
            .map_err(|error| QueueError::unreadable("a call", error.classify_for_people()))?;
        calls.push(call);
    }
    // Each process tells of its own, so those of several are not in order.
    calls.sort_by(|a, b| b.at.cmp(&a.at));
    Ok(calls)
}
