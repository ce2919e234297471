//! One sentence a promise.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Report;

/// How many examples a broken promise names.
const EXAMPLES: usize = 5;

/// Whether one promise held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// The promise, in the design's words.
    pub promise: String,
    /// Whether it held.
    pub held: bool,
    /// The numbers behind it, and the first examples where it broke.
    pub detail: String,
}

impl Verdict {
    fn of(promise: &str, good: String, bad: &str, broken: &[String]) -> Self {
        let examples = broken.iter().take(EXAMPLES).map(String::as_str);
        let examples = examples.collect::<Vec<_>>().join(", ");
        let more = if broken.len() > EXAMPLES { ", …" } else { "" };
        Self {
            promise: promise.to_owned(),
            held: broken.is_empty(),
            detail: match broken.is_empty() {
                true => good,
                false => format!("{} {bad}: {examples}{more}", broken.len()),
            },
        }
    }
}

impl Report {
    /// The promises, held against the changes that an operator discarded and those that are dead
    /// letters at the end, by changeId.
    pub fn verdicts(&self, discarded: &[String], dead: &[String]) -> Vec<Verdict> {
        let discarded: HashSet<_> = discarded.iter().collect();
        let dead: HashSet<_> = dead.iter().collect();
        let early = without(&self.acknowledged_early, &discarded);
        let lost: Vec<_> = without(&self.unacknowledged, &discarded)
            .into_iter()
            .filter(|id| !dead.contains(id))
            .collect();
        let breaches = |breaches: &[super::Breach]| -> Vec<_> {
            let text = |breach: &super::Breach| {
                let (older, newer) = (&breach.change_id, &breach.newer_change_id);
                format!("{older} after {newer} at {}", breach.destination)
            };
            breaches.iter().map(text).collect()
        };
        let moved: Vec<_> = self
            .identity_moved
            .iter()
            .map(|moved| {
                format!(
                    "{} at {}: {}",
                    moved.change_id, moved.destination, moved.what
                )
            })
            .collect();
        let applied: usize = self.applied.values().sum();
        vec![
            Verdict::of(
                "acknowledged means applied",
                format!(
                    "{} acknowledged, none before it was applied",
                    self.acknowledged
                ),
                "acknowledged before every destination had applied them",
                &early,
            ),
            Verdict::of(
                "nothing is lost",
                format!(
                    "{} changes = {} acknowledged + {} marked on fetch + {} waiting for a person",
                    self.changes,
                    self.acknowledged,
                    self.marked_on_fetch,
                    self.unacknowledged.len(),
                ),
                "neither acknowledged nor dead letters",
                &lost,
            ),
            Verdict::of(
                "order per person",
                format!("{applied} applications, each person's oldest first"),
                "older changes applied after newer ones",
                &breaches(&self.inversions),
            ),
            Verdict::of(
                "an old change never overwrites a newer one",
                "every person has the newest applied value".to_owned(),
                "people with an older value",
                &breaches(&self.stale_overwrites),
            ),
            Verdict {
                promise: "at least once".to_owned(),
                held: early.is_empty() && lost.is_empty(),
                detail: format!(
                    "{} applications repeated, {} answers lost on the way",
                    self.repeated(),
                    self.traffic.lost_answers
                ),
            },
            Verdict::of(
                "nobody is subscribed again",
                "no email status was changed from opted out".to_owned(),
                "supporters subscribed against their will",
                &self.resubscribed,
            ),
            Verdict::of(
                "no identity is moved",
                "every change went to its own person".to_owned(),
                "identities moved",
                &moved,
            ),
        ]
    }
}

fn without(ids: &[String], excluded: &HashSet<&String>) -> Vec<String> {
    ids.iter()
        .filter(|id| !excluded.contains(id))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(report: &Report, discarded: &[&str], dead: &[&str]) -> Vec<String> {
        let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
        let verdicts = report.verdicts(&owned(discarded), &owned(dead)).into_iter();
        let broken = verdicts.filter(|verdict| !verdict.held);
        broken.map(|verdict| verdict.promise).collect()
    }

    #[test]
    fn an_empty_report_breaks_nothing() {
        assert!(broken(&Report::default(), &[], &[]).is_empty());
    }

    #[test]
    fn discarded_changes_may_be_acknowledged_unapplied() {
        let report = Report {
            acknowledged_early: vec!["1".to_owned()],
            ..Report::default()
        };
        assert!(broken(&report, &["1"], &[]).is_empty());
        assert!(broken(&report, &[], &[]).contains(&"acknowledged means applied".to_owned()));
    }

    #[test]
    fn dead_letters_may_stay_unacknowledged() {
        let report = Report {
            unacknowledged: vec!["1".to_owned(), "2".to_owned()],
            ..Report::default()
        };
        assert!(broken(&report, &["2"], &["1"]).is_empty());
        assert!(broken(&report, &[], &["1"]).contains(&"nothing is lost".to_owned()));
    }
}
