//! What the API takes and answers: for its handlers, for the client of commands, and for `--json`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jobs::{
    change::editing::{Editable, NEVER_EDITED},
    destination::Destination,
};
use queue::{
    letters::{Handled, LetterGroup},
    person::PersonCursor,
    timeline::Timeline,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    dead_letters::{DeadLetterFilter, LetterName},
    error::FieldProblem,
    moment::CampusDay,
    shapes::{objects, optional_object},
};

/// Where the API is served. The number rises when something that scripts rely on goes away.
pub const API_ROOT: &str = "/api/v1";

/// Who a bearer of a token says to be. A foreign page cannot make a browser send it.
pub const NAME_HEADER: &str = "x-relay-operator";

/// What went wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// For programs: a word that stays; there may be more of them.
    pub code: String,
    /// For people: what happened.
    pub message: String,
    /// For people: what to do next.
    pub advice: String,
    /// By field, where it is about fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<FieldProblem>,
}

/// The body of every answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: Problem,
}

/// Dead letters by their cause.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LetterGroups {
    /// The most frequent first; of very many the 200 most frequent.
    pub items: Vec<LetterGroup>,
}

/// The row behind a letter, and what was made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Row {
    /// As AlumnIQ sent it, or as it was edited since; null where it is not kept.
    #[schema(value_type = Value)]
    pub row: Value,
    /// Another one for another row; absent where the row is not kept.
    pub version: Option<String>,
    /// The document of the last attempt; absent where nothing was sent.
    #[schema(value_type = Option<Object>)]
    pub sent: Option<Value>,
}

/// The row behind a letter, as an edit begins with it. Holds personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Draft {
    /// Another one for another row; empty where the row is not kept.
    pub version: String,
    /// Every canonical field; none where the row is not kept, or is nothing that fields can be read from.
    pub fields: Vec<Editable>,
    /// The fields that the destination's mapping reads; absent where it gets no document.
    pub fields_sent: Option<BTreeSet<String>>,
}

impl Draft {
    /// The fields that an edit may touch.
    pub fn editable(&self) -> impl Iterator<Item = &Editable> {
        let is_fixed = |field: &&Editable| NEVER_EDITED.contains(&field.name.as_str());
        self.fields.iter().filter(move |field| !is_fixed(field))
    }
}

/// An edit of the row behind a letter.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewValues {
    /// Canonical field -> its new text; blank takes it away. All but changeId, xid and changedOn can be edited.
    pub fields: BTreeMap<String, String>,
    /// Only show what would be sent. The audit log records who looks, once an hour for each operator and change.
    #[serde(default)]
    pub dry_run: bool,
    /// Only if this is still the row's version; absent: whatever the row is by now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
}

/// What became of an edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EditDone {
    /// Whether the letter is back at work.
    pub replayed: bool,
    /// What would be sent; only where nothing was done, and where the destination gets a document.
    #[schema(value_type = Option<Object>)]
    pub would_send: Option<Value>,
    /// What would be sent without the edit; only beside `would_send`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub unedited: Option<Value>,
    /// Why nothing would be sent without the edit; only where nothing was done.
    #[serde(default)]
    pub unedited_refused: Option<String>,
}

/// What a client has to know of the campus that it works on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Campus {
    /// The queue's namespace.
    pub namespace: String,
    /// `alumniq.timezone`, by its IANA name.
    #[serde(with = "jiff::fmt::serde::tz::required")]
    #[schema(value_type = String)]
    pub timezone: TimeZone,
    /// Which destinations are switched on.
    pub destinations: Vec<Destination>,
}

/// Everything that is known of one person's changes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The constituent's id.
    pub xid: String,
    /// The dead ones, then those on the way, then those that are through; of these the newest first. Empty where none is
    /// known.
    pub changes: Vec<Timeline>,
    /// The cursor of the next page, if there is one.
    #[schema(value_type = Option<String>)]
    pub next: Option<PersonCursor>,
}

/// Which letters: those that are named, those that a filter matches, or those named that it matches.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// By name, at most 5000. A name without a letter is an error, and then nothing is done.
    #[serde(default, deserialize_with = "objects")]
    #[schema(max_items = 5000)]
    pub ids: Vec<LetterName>,
    /// By filter; an empty one is all. Of more than 5000 the oldest are handled: `left` says how many there still are.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "optional_object"
    )]
    pub filter: Option<DeadLetterFilter>,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
    /// Even over a newer change of the same person.
    #[serde(default)]
    pub apply_stale: bool,
}

/// Which letters, as for a replay, and why they are given up.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscardRequest {
    /// By name, at most 5000.
    #[serde(default, deserialize_with = "objects")]
    #[schema(max_items = 5000)]
    pub ids: Vec<LetterName>,
    /// By filter; an empty one is all.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "optional_object"
    )]
    pub filter: Option<DeadLetterFilter>,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
    /// Why; it stays in the changes' history. At most 1,000 characters; required unless it is only counted.
    #[serde(default)]
    pub reason: String,
    /// AlumnIQ is not told: it goes on offering the changes.
    #[serde(default)]
    pub keep_unacknowledged: bool,
}

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LettersHandled {
    /// How many letters were handled, or would be.
    pub letters: u64,
    /// How many were no dead letters any more.
    pub gone: u64,
    /// How many the filter still matches that this request left.
    pub left: u64,
    /// Whether they were only counted.
    pub dry_run: bool,
}

/// How a person is erased.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseRequest {
    /// Why, in at most 1,000 characters; it stays in the audit, so name nobody in it.
    #[serde(default)]
    pub reason: String,
    /// AlumnIQ is not told of what was still open: it goes on listing it.
    #[serde(default)]
    pub keep_unacknowledged: bool,
}

/// Which days of the campus. Nothing: as far back as the next poll.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DaysRequest {
    /// Only this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub on: Option<CampusDay>,
    /// From this one, at most a hundred.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<CampusDay>,
    /// To this one, included; absent: to today.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<CampusDay>,
}

impl LettersHandled {
    /// That many would be handled.
    pub fn counted(total: u64) -> Self {
        Self {
            letters: total,
            gone: 0,
            left: total,
            dry_run: true,
        }
    }

    /// That many of `total` were handled; `taken` were tried.
    pub fn handled(handled: Handled, total: u64, taken: usize) -> Self {
        Self {
            letters: handled.handled,
            gone: handled.gone,
            left: total.saturating_sub(taken as u64),
            dry_run: false,
        }
    }
}
