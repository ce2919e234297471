//! Times of Redis' clock as people and programs read them.

/// Milliseconds since 1970 as RFC 3339.
pub(crate) fn rfc3339(ms: u64) -> String {
    jiff::Timestamp::from_millisecond(i64::try_from(ms).unwrap_or(i64::MAX))
        .map_or_else(|_| format!("{ms} ms"), |time| format!("{time:.3}"))
}
