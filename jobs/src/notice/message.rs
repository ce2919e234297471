//! A notice as JSON for programs, and in words for people.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::{Event, Notice};
use crate::{
    destination::Vendor,
    outcome::{DeadClass, PauseReason},
};

/// The generic body. Absent fields are left out.
#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    namespace: &'a str,
    event: &'static str,
    at: String,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lasted_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<Vendor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<PauseReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    counts: &'a BTreeMap<DeadClass, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<i64>,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl Notice {
    /// The generic body. `console`: where a process of the fleet serves the runbook.
    pub fn json(&self, console: Option<&str>) -> String {
        json!(Body {
            id: &self.id,
            namespace: &self.namespace,
            event: self.event.as_str(),
            at: rfc3339(self.at),
            since: rfc3339(self.since),
            lasted_seconds: self.lasted.map(|lasted| lasted.as_secs()),
            destination: self.destination,
            reason: self.reason,
            cause: self.cause.as_deref(),
            counts: &self.counts,
            difference: self.difference,
            text: self.text(),
            link: self.link(console),
        })
        .to_string()
    }

    /// What Slack takes, and whatever takes what Slack takes: text alone, for not all of them know blocks.
    pub fn slack(&self, console: Option<&str>) -> String {
        let text = self.text();
        let text = match text.split_once(": ") {
            Some((head, rest)) => format!("*{}*: {}", escaped(head), escaped(rest)),
            None => escaped(&text),
        };
        let link = self
            .link(console)
            .map(|link| format!(" <{}|runbook>", escaped(&link)));
        json!({ "text": text + &link.unwrap_or_default() }).to_string()
    }

    fn link(&self, console: Option<&str>) -> Option<String> {
        let section = self.event.runbook()?;
        Some(format!("{}/runbook#{section}", console?))
    }

    /// What happened and what to do: a heading, `: `, and the rest.
    pub fn text(&self) -> String {
        let Self {
            namespace,
            destination,
            ..
        } = self;
        let name = destination.map_or("", Vendor::noun);
        let key = destination.map_or("", Vendor::as_str);
        let since = rfc3339(self.since);
        let lasted = self
            .lasted
            .map(|lasted| format!(" after {}", for_people(lasted)))
            .unwrap_or_default();
        match self.event {
            Event::DestinationPaused => format!(
                "Calls to {name} are paused ({namespace}): since {since}{}. {}",
                self.why(),
                self.remedy(name, key)
            ),
            Event::DestinationResumed => format!(
                "Calls to {name} go on ({namespace}): since {since}{lasted}. What waited is worked off by itself."
            ),
            Event::DeadLettersAppeared => {
                let all: u64 = self.counts.values().sum();
                let counts: Vec<String> = self
                    .counts
                    .iter()
                    .map(|(class, count)| format!("{count} {class}"))
                    .collect();
                let (letters, wait) = match all {
                    1 => ("1 dead letter", "waits"),
                    _ => (&*format!("{all} dead letters"), "wait"),
                };
                format!(
                    "Dead letters at {name} ({namespace}): {letters} {wait} for a person ({}), the oldest since \
                     {since}; other changes go on. See why with `alumniq-relay dead list --destination {key}`, \
                     mend the cause, then `alumniq-relay dead replay`.",
                    counts.join(", ")
                )
            }
            Event::DeadLettersCleared => format!(
                "No dead letters at {name} any more ({namespace}): since {since}{lasted}. Nothing is to be done."
            ),
            Event::BooksOff => format!(
                "The books do not balance ({namespace}): fetched - acknowledged - discarded - in flight - dead = \
                 {}, since {since}. This is a defect, or somebody changed Redis by hand: keep Redis' data and the \
                 logs, and compare `alumniq-relay status` with AlumnIQ's list.",
                self.difference.unwrap_or_default()
            ),
            Event::BooksBack => format!(
                "The books balance again ({namespace}): since {since}{lasted}. Nothing is to be done."
            ),
            Event::Test => format!(
                "A test of alumniq-relay's notifications ({namespace}): they arrive here. Nothing is to be done."
            ),
        }
    }

    fn why(&self) -> String {
        let what = match self.reason {
            Some(PauseReason::Throttled) => ", because there were too many calls",
            Some(PauseReason::Outage) => ", because it is down",
            Some(PauseReason::Credentials) => ", because it refuses our credentials",
            Some(PauseReason::Operator) => ", by hand",
            None => "",
        };
        match self.cause.as_deref() {
            None | Some("") => what.to_owned(),
            Some(cause) => format!("{what} ({cause})"),
        }
    }

    fn remedy(&self, name: &str, key: &str) -> String {
        const NOTHING_LOST: &str = "Changes wait and none is lost";
        match self.reason {
            // AlumnIQ's calls are few: there is no limit to lower.
            Some(PauseReason::Throttled) if self.destination == Some(Vendor::Alumniq) => {
                format!(
                    "{NOTHING_LOST}; it goes on by itself. If this comes often, see who else uses the key."
                )
            }
            Some(PauseReason::Throttled) => format!(
                "{NOTHING_LOST}; it goes on by itself. If this comes often, lower `{key}.rate_per_minute`, or \
                 see who else uses the account."
            ),
            Some(PauseReason::Credentials) => format!(
                "{NOTHING_LOST}; it is tried again by itself, but will go on only with credentials that are \
                 accepted: renew them in `[{key}]` and start the processes anew."
            ),
            Some(PauseReason::Operator) => {
                format!("Changes wait until `alumniq-relay resume {key}`.")
            }
            Some(PauseReason::Outage) | None => format!(
                "{NOTHING_LOST}; it is tried again by itself. If it lasts, ask those who run {name}, and see \
                 `alumniq-relay status`."
            ),
        }
    }
}

/// A time as people read it: whole seconds.
fn rfc3339(time: Timestamp) -> String {
    format!("{time:.0}")
}

/// The two greatest units.
fn for_people(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {seconds} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Slack reads these as its own marks: without this, a vendor's words could call a whole channel.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
