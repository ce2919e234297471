//! What is told of each call.

use std::time::{Instant, SystemTime};

use jobs::{
    call_log::{RequestId, VendorCall},
    reply::Reply,
};
use reqwest::header::HeaderMap;

use super::{Http, Received};

/// Our name of a call, and the usual names of a vendor's own.
pub(super) const REQUEST_ID: &str = "x-request-id";
const VENDOR_REQUEST_IDS: [&str; 3] = [REQUEST_ID, "x-correlation-id", "request-id"];

/// A vendor's request id that is longer is none.
const LONGEST_REQUEST_ID: usize = 100;

/// Tells the observer of a call once, also where the caller gives up on it.
pub(super) struct Observation<'a> {
    http: &'a Http,
    operation: &'static str,
    pub(super) request_id: RequestId,
    begun: (SystemTime, Instant),
    status: Option<String>,
    vendor_request_id: Option<String>,
}

impl<'a> Observation<'a> {
    /// From now on.
    pub(super) fn begin(http: &'a Http, operation: &'static str) -> Self {
        Self {
            http,
            operation,
            request_id: RequestId::new(rand::random()),
            begun: (SystemTime::now(), Instant::now()),
            status: None,
            vendor_request_id: None,
        }
    }

    /// It got this far.
    pub(super) fn end(mut self, received: &Received) {
        self.vendor_request_id = vendor_request_id(&received.headers, self.request_id)
            .map(|id| self.http.redactor.word(id));
        self.status = Some(match &received.reply {
            Reply::Answer(answer) => answer.status.to_string(),
            Reply::Unreachable { .. } => "unreachable".to_owned(),
            Reply::Lost { .. } => "lost".to_owned(),
        });
    }
}

impl Drop for Observation<'_> {
    fn drop(&mut self) {
        (self.http.settings.observer)(&VendorCall {
            vendor: self.http.vendor,
            operation: self.operation,
            status: self.status.take().unwrap_or_else(|| "lost".to_owned()),
            request_id: self.request_id,
            vendor_request_id: self.vendor_request_id.take(),
            begun: self.begun.0,
            duration: self.begun.1.elapsed(),
        });
    }
}

/// What the vendor calls this call. Only what can be nothing but a name: an id of letters, digits and `-._:`, and
/// not ours come back.
fn vendor_request_id(headers: &HeaderMap, ours: RequestId) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    VENDOR_REQUEST_IDS.iter().find_map(|name| {
        let id = headers.get(*name)?.to_str().ok()?;
        let is_name = (1..=LONGEST_REQUEST_ID).contains(&id.len()) && id.bytes().all(plain);
        (is_name && id != ours.to_string()).then(|| id.to_owned())
    })
}
