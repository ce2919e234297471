//! What came back from a vendor, as plain data, so that classification stays pure.

use std::time::Duration;

/// The result of one HTTP call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The vendor answered.
    Answer(Answer),
    /// No connection came about (refused, DNS, TLS, connect timeout): the vendor saw nothing.
    Unreachable {
        /// The transport's words, without URL query, key or body.
        cause: String,
    },
    /// The request was sent and no usable answer came back (reset, read timeout, truncated body): the
    /// vendor may have acted on it.
    Lost {
        /// As above.
        cause: String,
    },
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, already turned from either of its two forms into a delay from now.
    pub retry_after: Option<Duration>,
    /// The body as text, at most as long as the client's limit. A good answer that is no text in its charset is lost.
    pub body: String,
}
