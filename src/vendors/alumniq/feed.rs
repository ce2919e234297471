//! The feed of unprocessed changes as it comes back from the GET.

mod rows;
mod splitter;
mod tidy;

use std::{io, time::Duration};

use jobs::{
    acknowledge::{CHECK_KEY, CHECK_URL},
    reply::{Answer, Reply},
};

pub use self::rows::{Unread, read_rows};

/// What kind of trouble a fetch met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedFault {
    /// AlumnIQ is down, unreachable or in trouble: the next poll may succeed.
    Outage,
    /// Too many calls: a later poll will succeed.
    Throttled,
    /// The API key is refused: a person must look.
    Credentials,
    /// The request is refused or something else answers at this address: a person must look.
    Configuration,
}

/// Why a fetch gave no rows. Quotes nothing of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}; {advice}")]
pub struct FeedError {
    /// Which kind of trouble.
    pub fault: FeedFault,
    /// The least delay, where AlumnIQ named one.
    pub after: Option<Duration>,
    /// What happened.
    pub cause: String,
    /// What a person can do about it.
    pub advice: String,
}

impl FeedError {
    /// Whether the same request may succeed later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        matches!(self.fault, FeedFault::Outage | FeedFault::Throttled)
    }
}

/// The answer that has rows for its body, if that is one ([`read_rows`]).
///
/// # Errors
/// AlumnIQ gave none; the error says what it did.
pub fn good(reply: &Reply) -> Result<&Answer, FeedError> {
    let error = |fault, after, cause: String, advice: &str| {
        Err(FeedError {
            fault,
            after,
            cause,
            advice: advice.to_owned(),
        })
    };
    let answer = match reply {
        Reply::Answer(answer) => answer,
        Reply::Unreachable { cause, advice } => {
            return error(
                FeedFault::Outage,
                None,
                format!("AlumnIQ cannot be reached: {cause}"),
                advice.as_deref().unwrap_or(CHECK_URL),
            );
        }
        Reply::Lost { cause } => {
            let advice = "nothing is lost: the rows stay unprocessed until they are acknowledged; if it happens \
                          again, raise `alumniq.timeout`, or fetch less at once with `sync --on DATE`";
            return error(
                FeedFault::Outage,
                None,
                format!("AlumnIQ's answer broke off: {cause}"),
                advice,
            );
        }
    };
    let (status, after) = (answer.status, answer.retry_after);
    match status {
        200 => Ok(answer),
        401 | 403 => error(
            FeedFault::Credentials,
            after,
            format!("AlumnIQ refuses the API key ({status})"),
            CHECK_KEY,
        ),
        429 => error(
            FeedFault::Throttled,
            after,
            "AlumnIQ asks for fewer calls (429)".to_owned(),
            "raise `alumniq.poll`",
        ),
        408 | 500..=599 => {
            let advice = "the next poll tries again; if it lasts, ask AlumnIQ's support";
            error(
                FeedFault::Outage,
                after,
                format!("AlumnIQ is in trouble ({status})"),
                advice,
            )
        }
        407 => error(
            FeedFault::Outage,
            after,
            "a proxy before AlumnIQ refuses the call (407)".to_owned(),
            "check the proxy and its credentials",
        ),
        400 | 422 => {
            let advice = "the filter is wrong or the API key is unknown at this host: check `alumniq.api_key` and the dates";
            error(
                FeedFault::Configuration,
                after,
                format!("AlumnIQ refused the request ({status})"),
                advice,
            )
        }
        _ => error(
            FeedFault::Configuration,
            after,
            format!("AlumnIQ has no work-profile feed at this address ({status})"),
            CHECK_URL,
        ),
    }
}

/// What a good answer without rows, or not with all of them, is called.
///
/// # Errors
/// It failed for no fault of AlumnIQ's ([`Unread::Failed`]).
pub fn instead_of_rows(after: Option<Duration>, unread: Unread) -> io::Result<FeedError> {
    let (cause, advice) = match unread {
        Unread::Failed(error) => return Err(error),
        Unread::Found(found) => (
            format!("AlumnIQ answered {found} instead of a JSON array of changes"),
            CHECK_URL,
        ),
        Unread::NoEnd { row, at } => (
            format!(
                "row {row} of AlumnIQ's answer is broken at its character {at}, and nothing proves where the next row \
                 begins: its quotation marks or brackets do not match"
            ),
            "correct that row in AlumnIQ, or ask AlumnIQ's support to; nothing of this answer was taken in",
        ),
    };
    Ok(FeedError {
        fault: FeedFault::Configuration,
        after,
        cause,
        advice: advice.to_owned(),
    })
}

#[cfg(test)]
mod tests;
