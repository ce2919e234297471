//! What the receiver of notifications took, and how it answers.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::http::SandboxRequest;

/// How many are kept.
const KEPT: usize = 100;

/// How the webhook answers (`PUT /_sandbox/webhook`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookMood {
    /// The status (204).
    pub status: u16,
    /// What `Retry-After` says (nothing).
    pub retry_after: Option<u64>,
    /// How long it keeps the caller waiting (0 s).
    pub seconds: f64,
}

impl Default for WebhookMood {
    fn default() -> Self {
        Self {
            status: 204,
            retry_after: None,
            seconds: 0.0,
        }
    }
}

/// A call of the webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Posted {
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// As it came.
    pub body: String,
    /// What it was answered, or will be.
    pub status: u16,
}

impl Posted {
    /// The body's JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// What arrived.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) mood: WebhookMood,
    count: u64,
    newest: VecDeque<Posted>,
}

impl Inbox {
    pub(super) fn newest(&self) -> Vec<Posted> {
        self.newest.iter().cloned().collect()
    }

    /// For people: bodies as JSON where they are.
    pub(super) fn shown(&self) -> Value {
        let shown = |posted: &Posted| json!({ "status": posted.status, "headers": posted.headers, "body": posted.json() });
        json!({ "count": self.count, "newest": self.newest.iter().map(shown).collect::<Vec<_>>() })
    }

    /// Notes the call; how it is to be answered.
    pub(super) fn take(&mut self, call: &SandboxRequest) -> WebhookMood {
        let headers = call.headers.iter();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        self.count += 1;
        self.newest.push_back(Posted {
            headers: headers
                .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
                .collect(),
            body: text(&call.body),
            status: self.mood.status,
        });
        if self.newest.len() > KEPT {
            self.newest.pop_front();
        }
        self.mood.clone()
    }
}
