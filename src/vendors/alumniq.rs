//! AlumnIQ's work-profile change feed, `sync/address-change/work`.

pub mod feed;

use std::time::Instant;

use bytes::Bytes;
use jiff::civil::Date;
use jobs::reply::Reply;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc::Sender;

use super::http::{self, ClientError, ClientSettings, FEED_BODY_LIMIT, Http, Redactor};

/// The one resource, behind the school's base address.
const ROOT: &str = "sync/address-change/work";

/// Counts down to the key's expiry, about a year after it was made (AlumnIQ's API page).
const KEY_DAYS_REMAINING: &str = "x-api-key-days-remaining";

/// Which unprocessed changes are asked for. AlumnIQ's filters exclude each other; dates are days in
/// campus-local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedFilter {
    /// Changed on this day. Not capped.
    ChangedOn(Date),
    /// Changed on this day or later. At most 500 rows, and no cursor.
    ChangedSince(Date),
    /// Of this constituent, newest first. Not capped.
    Xid(String),
}

impl FeedFilter {
    fn parameter(&self) -> (&'static str, String) {
        match self {
            Self::ChangedOn(day) => ("changedOnDate", day.to_string()),
            Self::ChangedSince(day) => ("changedSinceDate", day.to_string()),
            Self::Xid(xid) => ("xid", xid.clone()),
        }
    }
}

/// What a fetch brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedReply {
    /// The reply. The body of a good answer, a JSON array of rows, stands elsewhere.
    pub reply: Reply,
    /// Days until the API key expires, where the answer says so; negative once it has.
    pub key_days_remaining: Option<i64>,
}

/// A client for one school's feed.
#[derive(Debug)]
pub struct AlumniqClient {
    http: Http,
    api_key: SecretString,
}

impl AlumniqClient {
    /// A client for `url` (`alumniq.url`, e.g. `https://school.alumniq.com/api/v1/index.cfm`) and
    /// `api_key` (`alumniq.api_key`).
    ///
    /// # Errors
    /// A [`ClientError`] that names the key to mend.
    pub fn new(
        url: &str,
        api_key: SecretString,
        mut settings: ClientSettings,
    ) -> Result<Self, ClientError> {
        settings.max_body.get_or_insert(FEED_BODY_LIMIT);
        http::present("alumniq.api_key", &api_key)?;
        Ok(Self {
            http: Http::new("alumniq", "alumniq.url", url, &[&api_key], settings)?.under(ROOT),
            api_key,
        })
    }

    /// `GET`: the unprocessed changes of `filter`. A day may be long: a good answer's body goes into `pipe`, as it comes,
    /// and not into the reply. It may hold the key: see [`Self::redactor`]. With `mark_as_processed` the rows of the
    /// answer cannot be had again, so an answer that gets lost loses them.
    pub async fn fetch(
        &self,
        filter: &FeedFilter,
        mark_as_processed: bool,
        pipe: Sender<Bytes>,
    ) -> FeedReply {
        let mut query = vec![self.key(), filter.parameter()];
        if mark_as_processed {
            query.push(("markAsProcessed", "true".to_owned()));
        }
        let request = self.http.request(Method::GET, "").query(&query);
        let received = self.http.pour("fetch", request, None, pipe).await;
        let days = received.headers.get(KEY_DAYS_REMAINING);
        FeedReply {
            reply: received.reply,
            key_days_remaining: days.and_then(|days| whole_days(days.to_str().ok()?)),
        }
    }

    /// Takes the key out of what was poured.
    pub fn redactor(&self) -> &Redactor {
        self.http.redactor()
    }

    /// `PUT`: tells AlumnIQ that these changes are processed. A form, because AlumnIQ refuses a body of
    /// another content type; the key stands in it, since a PUT's key is not read from the query.
    pub async fn acknowledge(&self, change_ids: &[String], deadline: Option<Instant>) -> Reply {
        let form = [self.key(), ("changeIdList", change_ids.join(","))];
        let request = self.http.request(Method::PUT, "").form(&form);
        self.http.call("acknowledge", request, deadline).await.reply
    }

    /// Whether `alumniq.url` sends data and the key over a network in the clear.
    pub fn is_plaintext_remote(&self) -> bool {
        self.http.is_plaintext_remote()
    }

    fn key(&self) -> (&'static str, String) {
        ("apikey", self.api_key.expose_secret().to_owned())
    }
}

/// The number that the header's text begins with; CFML may write `364`, `364.0` or ` 364 days`.
fn whole_days(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let end = digits
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(digits.len());
    text[..text.len() - digits.len() + end].parse().ok()
}

#[cfg(test)]
mod tests;
