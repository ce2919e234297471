//! Which calls to a vendor were made for a change: noted where a call ends, read where its result is known.
//!
//! A leaf that both sides may know: the vendors' clients tell of each [`VendorCall`], the queue keeps a [`CallLog`] beside
//! each lease, and neither sees the other.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// The target of the log lines that tell one change's way, so that a filter can leave them out:
/// `info,alumniq_relay::change=warn`.
pub const CHANGE: &str = "alumniq_relay::change";

/// The name of one HTTP call, sent along as `X-Request-Id`: it finds the call in our log, in the traces and, where
/// the vendor writes the header down, in theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u128);

impl RequestId {
    /// The id of this number, which has to be random: no other call may have it.
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// Its first half, which names the call's span.
    pub fn half(self) -> [u8; 8] {
        ((self.0 >> 64) as u64).to_be_bytes()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One HTTP call that was made. Holds no address and no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorCall {
    /// `alumniq`, `crm` or `salsa`.
    pub vendor: &'static str,
    /// `fetch`, `acknowledge`; `token`, `check`, `update`, `upsert`; `metrics`, `search`, `put`, `delete`.
    pub operation: &'static str,
    /// The HTTP status (`200`), `unreachable` where nothing was sent, or `lost` where no usable answer came.
    pub status: String,
    /// Ours.
    pub request_id: RequestId,
    /// The vendor's own, where its answer names one.
    pub vendor_request_id: Option<String>,
    /// When it began.
    pub begun: SystemTime,
    /// From the start to the answer's last byte or to the failure.
    pub duration: Duration,
}

/// The calls that were made for one attempt, in the order in which they ended. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct CallLog(Arc<Mutex<Vec<Arc<VendorCall>>>>);

impl CallLog {
    /// Runs `work`, the calls of which are made for all of `call_logs`; those that it gives up count, too.
    pub async fn following<F: Future>(call_logs: Vec<Self>, work: F) -> F::Output {
        FOLLOWED.scope(call_logs, work).await
    }

    /// Notes a call on every call_log that the present work is followed by.
    pub fn note(call: &VendorCall) {
        let changes = FOLLOWED.try_with(Vec::len).unwrap_or(0);
        RECENT.keep(call, changes);
        // Nobody follows a call that is about no change.
        let _ = FOLLOWED.try_with(|call_logs| {
            let call = Arc::new(call.clone());
            for call_log in call_logs {
                call_log.lock().push(Arc::clone(&call));
            }
        });
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Arc<VendorCall>> {
        self.lock().clone()
    }

    /// Their request ids with commas between them, as a log line shows them; `None` where no call was made.
    pub fn request_ids(&self) -> Option<String> {
        let calls = self.lock();
        let ids: Vec<String> = calls
            .iter()
            .map(|call| call.request_id.to_string())
            .collect();
        (!ids.is_empty()).then(|| ids.join(","))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<VendorCall>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of one vendor's calls so many are kept until they are taken.
const KEPT: usize = 50;

/// The newest calls of this process that nobody has taken yet.
static RECENT: Recent = Recent(Mutex::new(VecDeque::new()));

/// Calls, oldest first, each with the number of changes that it was made for.
struct Recent(Mutex<VecDeque<(VendorCall, usize)>>);

impl Recent {
    fn keep(&self, call: &VendorCall, changes: usize) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(kept, _): &(VendorCall, usize)| kept.vendor == call.vendor;
        if calls.iter().filter(|kept| same(kept)).count() == KEPT
            && let Some(oldest) = calls.iter().position(same)
        {
            calls.remove(oldest);
        }
        calls.push_back((call.clone(), changes));
    }
}

/// Takes the newest calls of this process, oldest first, at most 50 a vendor.
pub fn take_recent() -> Vec<(VendorCall, usize)> {
    let mut calls = RECENT.0.lock().unwrap_or_else(PoisonError::into_inner);
    calls.drain(..).collect()
}

tokio::task_local! {
    static FOLLOWED: Vec<CallLog>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &'static str) -> VendorCall {
        VendorCall {
            vendor: "salsa",
            operation,
            status: "200".to_owned(),
            request_id: RequestId::new(1),
            vendor_request_id: None,
            begun: SystemTime::now(),
            duration: Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn a_call_is_noted_for_those_that_it_carries_and_for_nobody_else() {
        let (one, other) = (CallLog::default(), CallLog::default());
        let (search, put) = (call("search"), call("put"));
        CallLog::following(vec![one.clone(), other.clone()], async {
            CallLog::note(&search);
        })
        .await;
        CallLog::following(vec![other.clone()], async { CallLog::note(&put) }).await;
        CallLog::note(&call("metrics"));
        assert_eq!(one.request_ids(), Some(search.request_id.to_string()));
        let both = format!("{},{}", search.request_id, put.request_id);
        assert_eq!(other.request_ids(), Some(both));
        assert_eq!(CallLog::default().request_ids(), None);
    }

    #[test]
    fn a_request_id_has_32_digits() {
        assert_eq!(RequestId::new(7).to_string().len(), 32);
        assert_eq!(RequestId::new(7 << 64).half(), 7_u64.to_be_bytes());
    }
}
