//! `supporter search`. Prints personal data: that is what it is for.

use std::collections::BTreeSet;

use jiff::{Timestamp, tz::TimeZone};
use jobs::salsa_upsert::{self, IdentifierType, Payload, Supporter};
use miette::{IntoDiagnostic, miette};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    cli::{value::Moment, vendor::SupporterSearchArgs},
    commands::{
        instant, one_line, print,
        table::{Column, table},
        usage,
    },
    exit::Exit,
    operations::supporters::{SupporterCalls, SupporterOperation, told},
};

/// `supporter search --json`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct SupporterSearchReport {
    /// The records as Salsa has them.
    #[schema(value_type = Vec<Object>)]
    supporters: Vec<Value>,
    /// Ids that nobody has.
    not_found: Vec<String>,
    /// Whether `--limit` left some out.
    more: bool,
}

/// Searches and prints.
pub async fn run(
    mut calls: SupporterCalls,
    timezone: &TimeZone,
    arguments: SupporterSearchArgs,
) -> miette::Result<Exit> {
    let limit = arguments.limit as usize;
    let mut found = match &arguments.modified_since {
        Some(since) => {
            let (from, to) = period(since, arguments.modified_until.as_ref(), timezone)?;
            modified(&mut calls, from, to, limit).await?
        }
        None => {
            let (kind, ids) = wanted(&arguments);
            identified(&mut calls, kind, ids).await?
        }
    };
    found.more |= found.supporters.len() > limit;
    found.supporters.truncate(limit);
    print(&if arguments.json {
        format!("{}\n", serde_json::to_string(&found).into_diagnostic()?)
    } else {
        text(&found)
    })?;
    Ok(Exit::Good)
}

fn period(
    since: &Moment,
    until: Option<&Moment>,
    timezone: &TimeZone,
) -> miette::Result<(Timestamp, Option<Timestamp>)> {
    let from = instant(since, timezone)?;
    let to = until.map(|until| instant(until, timezone)).transpose()?;
    if to.is_some_and(|to| to <= from) {
        return Err(usage(
            "--modified-until is not after --modified-since",
            "swap them; a day means its first instant in alumniq.timezone",
        ));
    }
    Ok((from, to))
}

/// The kind of ids, which is one, and the ids, each once.
fn wanted(arguments: &SupporterSearchArgs) -> (IdentifierType, Vec<String>) {
    let (kind, ids) = if !arguments.id.is_empty() {
        (IdentifierType::SupporterId, &arguments.id)
    } else if !arguments.email.is_empty() {
        (IdentifierType::EmailAddress, &arguments.email)
    } else {
        (IdentifierType::ExternalId, &arguments.external_id)
    };
    let mut seen = BTreeSet::new();
    let ids = ids.iter().filter(|id| seen.insert(folded(kind, id)));
    (kind, ids.cloned().collect())
}

/// Salsa's ids and emails are the same in any case.
fn folded(kind: IdentifierType, id: &str) -> String {
    match kind {
        IdentifierType::SupporterId | IdentifierType::EmailAddress => id.trim().to_lowercase(),
        IdentifierType::ExternalId => id.trim().to_owned(),
    }
}

async fn identified(
    calls: &mut SupporterCalls,
    kind: IdentifierType,
    ids: Vec<String>,
) -> miette::Result<SupporterSearchReport> {
    let mut found = SupporterSearchReport::default();
    let body = |part: &[String]| salsa_upsert::search_body(part, kind);
    for (part, answer) in calls.each(SupporterOperation::Search, &ids, body).await {
        match answer {
            Some(Ok(payload)) => {
                found.not_found.extend(missing(&part, kind, &payload));
                found.supporters.extend(records(&payload));
            }
            Some(Err(outcome)) => return Err(failed(outcome)),
            None => {}
        }
    }
    Ok(found)
}

async fn modified(
    calls: &mut SupporterCalls,
    from: Timestamp,
    to: Option<Timestamp>,
    limit: usize,
) -> miette::Result<SupporterSearchReport> {
    let mut found = SupporterSearchReport::default();
    let mut offset = 0;
    loop {
        let left = limit - found.supporters.len();
        let body = |count| salsa_upsert::search_modified_body(from, to, offset, count);
        let (payload, count) = calls.page(left, body).await.map_err(failed)?;
        found.supporters.extend(records(&payload));
        let Some(next) = salsa_upsert::next_offset(&payload, offset, count) else {
            return Ok(found);
        };
        if found.supporters.len() >= limit {
            found.more = true;
            return Ok(found);
        }
        offset = next;
    }
}

fn failed(outcome: jobs::outcome::Outcome) -> miette::Report {
    let (what, help) = told(outcome);
    miette!(help = help, "{what}")
}

/// The records that are no misses.
fn records(payload: &Payload) -> impl Iterator<Item = Value> {
    payload
        .supporters()
        .iter()
        .filter(|record| record.get("result").and_then(Value::as_str) != Some("NOT_FOUND"))
        .cloned()
}

fn missing(ids: &[String], kind: IdentifierType, payload: &Payload) -> Vec<String> {
    let known: BTreeSet<String> = salsa_upsert::found(payload)
        .iter()
        .filter_map(|supporter| match kind {
            IdentifierType::SupporterId => supporter.id(),
            IdentifierType::EmailAddress => supporter.email(),
            IdentifierType::ExternalId => supporter.external_id(),
        })
        .map(|id| folded(kind, id))
        .collect();
    ids.iter()
        .filter(|id| !known.contains(&folded(kind, id)))
        .cloned()
        .collect()
}

fn text(found: &SupporterSearchReport) -> String {
    let mut text = String::new();
    if !found.supporters.is_empty() {
        let columns = [
            "supporterId",
            "external id",
            "name",
            "email",
            "status",
            "work phone",
            "modified",
        ];
        let supporters = found.supporters.iter().filter_map(Supporter::read);
        let rows = supporters.map(|supporter| row(&supporter));
        text = table(columns.map(Column::Words), rows) + "\n";
    }
    text += &match found.supporters.len() {
        0 => "No supporter found.\n".to_owned(),
        1 => "1 supporter.\n".to_owned(),
        count => format!("{count} supporters.\n"),
    };
    if found.more {
        text += "There are more: raise --limit.\n";
    }
    for id in &found.not_found {
        text += &format!("Nobody has {}.\n", one_line(id));
    }
    text
}

fn row(supporter: &Supporter) -> [String; 7] {
    let name: Vec<&str> = ["firstName", "middleName", "lastName"]
        .into_iter()
        .filter_map(|part| supporter.census_field(part))
        .collect();
    let name = name.join(" ");
    [
        supporter.id(),
        supporter.external_id(),
        Some(name.as_str()),
        supporter.email(),
        supporter.email_status(),
        supporter.contact("WORK_PHONE"),
        supporter.census_field("lastModified"),
    ]
    .map(|cell| one_line(cell.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use jobs::reply::{Answer, Reply};
    use serde_json::json;

    use super::*;

    fn payload(supporters: Value) -> Payload {
        let body = json!({ "payload": { "supporters": supporters } }).to_string();
        salsa_upsert::classify(&Reply::Answer(Answer {
            status: 200,
            retry_after: None,
            body,
        }))
        .unwrap()
    }

    #[test]
    fn who_was_not_found_is_told_whatever_form_the_miss_has() {
        let payload = payload(json!([
            {"supporterId": "A-1", "result": "FOUND"},
            {"supporterId": "a-2", "result": "NOT_FOUND"},
        ]));
        let ids = ["a-1", "a-2", "a-3"].map(str::to_owned);
        let missing = missing(&ids, IdentifierType::SupporterId, &payload);
        assert_eq!(missing, ["a-2", "a-3"]);
        assert_eq!(records(&payload).count(), 1);
    }

    #[test]
    fn the_same_id_is_asked_for_once() {
        let arguments = SupporterSearchArgs {
            id: Vec::new(),
            email: vec!["Ada@example.org".to_owned(), "ada@example.org".to_owned()],
            external_id: Vec::new(),
            modified_since: None,
            modified_until: None,
            limit: 1,
            json: false,
        };
        let (kind, ids) = wanted(&arguments);
        assert_eq!(kind, IdentifierType::EmailAddress);
        assert_eq!(ids, ["Ada@example.org"]);
    }

    #[test]
    fn a_period_that_ends_before_it_begins_is_refused() {
        let moment = |text: &str| text.parse::<Moment>().unwrap();
        let (day, earlier) = (moment("2026-11-21"), moment("2026-11-20"));
        assert!(period(&day, Some(&earlier), &TimeZone::UTC).is_err());
        assert!(period(&day, Some(&day), &TimeZone::UTC).is_err());
        assert!(period(&earlier, Some(&day), &TimeZone::UTC).is_ok());
    }

    #[test]
    fn a_supporter_is_a_row_and_cannot_command_the_terminal() {
        let found = SupporterSearchReport {
            supporters: vec![json!({
                "supporterId": "s-1", "externalSystemId": "7", "firstName": "A\u{1b}[2Jda", "lastName": "Lee",
                "contacts": [{"type": "EMAIL", "value": "ada@example.org", "status": "OPT_IN"}],
            })],
            not_found: vec!["8".to_owned()],
            more: true,
        };
        let text = text(&found);
        for part in [
            "s-1",
            "ada@example.org",
            "OPT_IN",
            "1 supporter.",
            "--limit",
            "Nobody has 8.",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
    }
}
