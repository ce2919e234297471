//! A bulk as it lies in Redis, and as it is shown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jobs::{destination::Vendor, outcome::DeadClass};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::BulkOrder;
use crate::{
    audit::{Actor, Via},
    letters::LetterFilter,
    timestamp::rfc3339,
};

/// What a bulk does with each letter. The wire name is the lower-case word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BulkAction {
    /// Back to work.
    Replay,
    /// Given up.
    Discard,
}

/// How far a bulk is. The wire name is the lower-case word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BulkState {
    /// Under way, or about to be.
    Running,
    /// Every letter was handled.
    Done,
    /// Somebody ended it.
    Cancelled,
    /// It could not go on.
    Failed,
}

impl BulkAction {
    const ALL: [Self; 2] = [Self::Replay, Self::Discard];

    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Discard => "discard",
        }
    }
}

impl BulkState {
    const ALL: [Self; 4] = [Self::Running, Self::Done, Self::Cancelled, Self::Failed];

    /// The wire name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// Which letters a bulk is about. What is absent is any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkFilter {
    /// Where they died.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destination: Option<Vendor>,
    /// Which kind.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<DeadClass>,
    /// The key of a group of causes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
    /// Whose; not shown to viewers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub xid: Option<String>,
    /// Only those of these changes; absent: of any.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub change_ids: Vec<String>,
    /// Died at or after, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<String>,
    /// Died before, RFC 3339: at the latest when the bulk began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<String>,
}

/// A bulk, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkView {
    /// Its name.
    pub id: String,
    /// What it does.
    pub action: BulkAction,
    /// With which letters.
    pub filter: BulkFilter,
    /// The cause that they have in common, in words, where the filter names one.
    #[serde(default)]
    pub about: Option<String>,
    /// How fast at most, e.g. `10/s`.
    pub rate: Option<String>,
    /// Why, for a discard.
    pub reason: String,
    /// A replay applies even over a newer change.
    pub apply_stale: bool,
    /// A discard does not tell AlumnIQ.
    pub keep_unacknowledged: bool,
    /// Who began it.
    pub by: String,
    /// How far it is.
    pub state: BulkState,
    /// How many letters there were at its start.
    pub total: u64,
    /// How many of them were replayed or discarded so far.
    pub handled: u64,
    /// How many were no dead letters any more, or could not be read again.
    pub gone: u64,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Why it could not go on.
    pub error: Option<String>,
}

impl BulkView {
    /// Whether nothing follows.
    pub fn is_over(&self) -> bool {
        self.state != BulkState::Running
    }
}

/// Bulks, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkList {
    /// Of the last hundred.
    pub items: Vec<BulkView>,
}

impl BulkOrder {
    /// As it lies in Redis.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let filter = serde_json::to_string(&BulkFilter::from(&self.filter)).unwrap_or_default();
        let flag = |set: bool| u8::from(set).to_string();
        vec![
            ("action", self.action.as_str().to_owned()),
            ("filter", filter),
            ("rate", self.rate.clone().unwrap_or_default()),
            ("reason", self.reason.clone()),
            ("apply_stale", flag(self.apply_stale)),
            ("keep_unacknowledged", flag(self.keep_unacknowledged)),
            ("by", self.by.name.clone()),
            ("via", self.by.via.as_str().to_owned()),
        ]
    }

    /// The reverse.
    pub(super) fn read(fields: &BTreeMap<String, String>) -> Option<Self> {
        let view = BulkView::read("", fields)?;
        let via = fields.get("via")?;
        Some(Self {
            action: view.action,
            filter: LetterFilter::from(&view.filter),
            rate: view.rate,
            reason: view.reason,
            apply_stale: view.apply_stale,
            keep_unacknowledged: view.keep_unacknowledged,
            by: Actor {
                name: view.by,
                via: [Via::Command, Via::Console, Via::Api]
                    .into_iter()
                    .find(|known| known.as_str() == via)?,
            },
        })
    }
}

impl BulkView {
    pub(super) fn read(id: &str, fields: &BTreeMap<String, String>) -> Option<Self> {
        let text = |name: &str| fields.get(name).filter(|text| !text.is_empty()).cloned();
        let number = |name: &str| fields.get(name).and_then(|number| number.parse().ok());
        let word = |name: &str| fields.get(name).map(String::as_str);
        let set = |name: &str| word(name) == Some("1");
        Some(Self {
            id: id.to_owned(),
            action: BulkAction::ALL
                .into_iter()
                .find(|action| word("action") == Some(action.as_str()))?,
            filter: serde_json::from_str(word("filter")?).ok()?,
            about: text("about"),
            rate: text("rate"),
            reason: text("reason").unwrap_or_default(),
            apply_stale: set("apply_stale"),
            keep_unacknowledged: set("keep_unacknowledged"),
            by: text("by").unwrap_or_default(),
            state: BulkState::ALL
                .into_iter()
                .find(|state| word("state") == Some(state.as_str()))?,
            total: number("total").unwrap_or_default(),
            handled: number("handled").unwrap_or_default(),
            gone: number("gone").unwrap_or_default(),
            started_at: rfc3339(number("started_at")?),
            ended_at: number("ended_at").map(rfc3339),
            error: text("error"),
        })
    }
}

impl From<&LetterFilter> for BulkFilter {
    fn from(filter: &LetterFilter) -> Self {
        Self {
            destination: filter.vendor,
            class: filter.class,
            cause: filter.cause.clone(),
            xid: filter.xid.clone(),
            change_ids: filter.change_ids.clone(),
            since: filter.since.map(rfc3339),
            until: filter.until.map(rfc3339),
        }
    }
}

impl From<&BulkFilter> for LetterFilter {
    fn from(filter: &BulkFilter) -> Self {
        let instant = |at: &String| {
            let at: Timestamp = at.parse().ok()?;
            u64::try_from(at.as_millisecond()).ok()
        };
        Self {
            vendor: filter.destination,
            class: filter.class,
            cause: filter.cause.clone(),
            xid: filter.xid.clone(),
            change_ids: filter.change_ids.clone(),
            since: filter.since.as_ref().and_then(instant),
            until: filter.until.as_ref().and_then(instant),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_the_same_after_it_lay_in_redis() {
        let filter = LetterFilter {
            vendor: Some(Vendor::Alumniq),
            class: Some(DeadClass::Unmatched),
            cause: Some("0123456789ab".to_owned()),
            xid: Some("00100850".to_owned()),
            change_ids: vec!["41".to_owned(), "41/2".to_owned()],
            since: Some(1_700_000_000_123),
            until: Some(1_800_000_000_456),
        };
        let json = serde_json::to_string(&BulkFilter::from(&filter)).unwrap();
        let back: BulkFilter = serde_json::from_str(&json).unwrap();
        assert_eq!(LetterFilter::from(&back), filter);
    }
}
