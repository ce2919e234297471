//! What came back from a vendor, as plain data, so that classification stays pure.

use std::time::Duration;

/// The result of one HTTP call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The vendor answered.
    Answer(Answer),
    /// No connection came about (refused, DNS, TLS, proxy, connect timeout): the vendor saw nothing.
    Unreachable {
        /// The transport's words, without URL query, key or body.
        cause: String,
        /// What to do, where the transport knows more than that the address may be wrong.
        advice: Option<String>,
    },
    /// The request was sent and no usable answer came back (reset, read timeout, truncated body): the
    /// vendor may have acted on it.
    Lost {
        /// As above.
        cause: String,
    },
}

impl Reply {
    /// A call that was not made or did not arrive; nothing is known of what to do.
    pub fn unreachable(cause: impl Into<String>) -> Self {
        Self::Unreachable {
            cause: cause.into(),
            advice: None,
        }
    }
}

/// What happened, and what to do about it where that is known.
pub fn with_advice(cause: &str, advice: Option<&str>) -> String {
    match advice {
        Some(advice) => format!("{cause}: {advice}"),
        None => cause.to_owned(),
    }
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
