//! `supporter delete`.

use std::{
    collections::HashSet,
    io::{self, BufRead, IsTerminal},
};

use jobs::{
    outcome::{DeadClass, Outcome},
    salsa_upsert,
};
use miette::{IntoDiagnostic, miette};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    cli::vendor::SupporterDeleteArgs,
    commands::{one_line, print, usage},
    exit::Exit,
    observe::logs,
    operations::supporters::{BatchAnswer, SupporterCalls, SupporterOperation, told},
};

/// What became of one id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Deletion {
    /// Salsa's id.
    supporter_id: String,
    /// `DELETED`, or why not, in Salsa's word or ours.
    result: &'static str,
    /// More of why.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

/// `supporter delete --json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeleteReport {
    /// How many ids were named, each counted once.
    requested: usize,
    /// How many of them are deleted.
    deleted: usize,
    /// Each id.
    items: Vec<Deletion>,
}

const DELETED: &str = "DELETED";

/// Asks, deletes and tells of each id.
pub async fn run(
    mut calls: SupporterCalls,
    url: &str,
    arguments: SupporterDeleteArgs,
) -> miette::Result<Exit> {
    let mut seen = HashSet::new();
    let ids: Vec<String> = arguments
        .ids
        .into_iter()
        .filter(|id| seen.insert(id.to_lowercase()))
        .collect();
    if !arguments.yes && !confirmed(ids.len(), url)? {
        return Err(miette!("nothing was deleted"));
    }
    let answers = calls
        .each(SupporterOperation::Delete, &ids, salsa_upsert::delete_body)
        .await;
    // Where already the first call failed for everyone there is nothing to tell id by id.
    if let [(_, Some(Err(outcome @ Outcome::Pause { .. }))), ..] = answers.as_slice() {
        let (what, help) = told(outcome.clone());
        return Err(miette!(help = help, "nothing was deleted: {what}"));
    }
    let deletions: Vec<Deletion> = answers.into_iter().flat_map(deletions).collect();
    let deleted = deletions
        .iter()
        .filter(|deletion| deletion.result == DELETED)
        .count();
    print(&if arguments.json {
        let report = DeleteReport {
            requested: ids.len(),
            deleted,
            items: deletions,
        };
        format!("{}\n", serde_json::to_string(&report).into_diagnostic()?)
    } else {
        text(&deletions, deleted)
    })?;
    Ok(if deleted == ids.len() {
        Exit::Good
    } else {
        Exit::NeedsAPerson
    })
}

/// Asks on a terminal.
fn confirmed(count: usize, url: &str) -> miette::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(usage(
            "deleting cannot be undone, and there is no terminal to ask on",
            "add --yes to delete without being asked",
        ));
    }
    let supporters = match count {
        1 => "1 supporter".to_owned(),
        count => format!("{count} supporters"),
    };
    logs::flush();
    eprint!("Delete {supporters} at {url}? This cannot be undone. Type yes: ");
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .into_diagnostic()?;
    Ok(answer.trim() == "yes")
}

fn deletions((ids, answer): BatchAnswer) -> Vec<Deletion> {
    let (result, cause) = match answer {
        Some(Ok(payload)) => {
            let outcomes = salsa_upsert::delete_outcomes(&payload, &ids);
            let told = ids.into_iter().zip(outcomes);
            return told.map(|(id, outcome)| one(id, outcome)).collect();
        }
        // The answer was lost or cannot be read: it may have been done.
        Some(Err(Outcome::Retry { cause, .. })) => ("UNKNOWN", cause),
        Some(Err(outcome)) => ("FAILED", told(outcome).0),
        None => (
            "NOT_SENT",
            "an earlier call failed for every supporter alike".to_owned(),
        ),
    };
    ids.into_iter()
        .map(|supporter_id| Deletion {
            supporter_id,
            result,
            cause: Some(cause.clone()),
        })
        .collect()
}

fn one(supporter_id: String, outcome: Outcome) -> Deletion {
    let (result, cause) = match outcome {
        Outcome::Done { .. } => (DELETED, None),
        Outcome::Dead {
            class: DeadClass::Unmatched,
            ..
        } => ("NOT_FOUND", None),
        outcome => ("FAILED", Some(told(outcome).0)),
    };
    Deletion {
        supporter_id,
        result,
        cause,
    }
}

fn text(deletions: &[Deletion], deleted: usize) -> String {
    let mut text = String::new();
    for Deletion {
        supporter_id,
        result,
        cause,
    } in deletions
    {
        let cause = cause
            .as_ref()
            .map_or_else(String::new, |cause| format!("  {}", one_line(cause)));
        text += &format!("{result:<9}  {}{cause}\n", one_line(supporter_id));
    }
    text += &format!("\n{deleted} of {} deleted\n", deletions.len());
    if deletions.iter().any(|deletion| deletion.cause.is_some()) {
        text += "Run it again: what is gone by then answers NOT_FOUND.\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use jobs::{
        outcome::{Blame, PauseReason},
        reply::{Answer, Reply},
    };
    use serde_json::json;

    use super::*;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn results(answered: BatchAnswer) -> Vec<&'static str> {
        let deletions = deletions(answered).into_iter();
        deletions.map(|deletion| deletion.result).collect()
    }

    #[test]
    fn each_id_has_its_own_result() {
        let body = json!({"payload": {"supporters": [
            {"supporterId": "b", "result": "NOT_FOUND"},
            {"supporterId": "A", "result": "DELETED"},
            {"supporterId": "c", "result": "SYSTEM_ERROR"},
        ]}});
        let payload = salsa_upsert::classify(&Reply::Answer(Answer {
            status: 200,
            retry_after: None,
            body: body.to_string(),
        }));
        let answered = (ids(&["a", "b", "c", "d"]), Some(Ok(payload.unwrap())));
        assert_eq!(
            results(answered),
            ["DELETED", "NOT_FOUND", "FAILED", "FAILED"]
        );
    }

    #[test]
    fn a_lost_answer_is_not_called_a_failure() {
        let lost = Outcome::Retry {
            after: None,
            cause: "Salsa's answer was lost, it may have acted".to_owned(),
            blame: Blame::Unknown,
        };
        let down = Outcome::Pause {
            after: None,
            reason: PauseReason::Outage,
            cause: "down".to_owned(),
        };
        assert_eq!(results((ids(&["a"]), Some(Err(lost)))), ["UNKNOWN"]);
        assert_eq!(results((ids(&["a"]), Some(Err(down)))), ["FAILED"]);
        assert_eq!(results((ids(&["a", "b"]), None)), ["NOT_SENT", "NOT_SENT"]);
    }

    #[test]
    fn the_text_tells_each_id_and_the_sum() {
        let items = [
            one(
                "a".to_owned(),
                Outcome::Done {
                    detail: String::new(),
                },
            ),
            Deletion {
                supporter_id: "b".to_owned(),
                result: "UNKNOWN",
                cause: Some("lost".to_owned()),
            },
        ];
        assert_eq!(
            text(&items, 1),
            "DELETED    a\nUNKNOWN    b  lost\n\n1 of 2 deleted\nRun it again: what is gone by then answers NOT_FOUND.\n"
        );
    }
}
