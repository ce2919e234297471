//! `contact update`: one document to the CRM, by hand.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use jobs::{
    crm_update::{self, ContactUpsertDto},
    outcome::{DeadClass, Outcome},
    problem::RuleViolation,
    reply::Reply,
};
use miette::{IntoDiagnostic, miette};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{context::Context, destinations, print, usage};
use crate::{
    cli::{
        GlobalArgs,
        vendor::{ContactCommand, ContactUpdateArgs},
    },
    config::CrmOperation,
    exit::Exit,
    observe::logs,
};

/// A document is one contact: more bytes than this are something else.
const MOST_BYTES: u64 = 4 << 20;

/// Dispatches.
pub async fn run(global: &GlobalArgs, command: ContactCommand) -> miette::Result<Exit> {
    match command {
        ContactCommand::Update(arguments) => update(global, arguments).await,
    }
}

async fn update(global: &GlobalArgs, arguments: ContactUpdateArgs) -> miette::Result<Exit> {
    let context = Context::load(global)?;
    let Some(mut crm) = context.config.crm.clone() else {
        return Err(usage(
            "the CRM is switched off",
            "set crm.enabled = true to update its contacts",
        ));
    };
    if arguments.upsert {
        crm.operation = CrmOperation::Upsert;
    }
    let fields = document(&read(&arguments.file)?)?;
    let contact = ContactUpsertDto::from_fields(fields, crm.country_codes)
        .map_err(|problems| invalid(&problems))?;
    let reply = destinations::crm::client(&crm)?
        .update(&contact, None)
        .await;
    let adds = crm.operation == CrmOperation::Upsert;
    let told = tell(crm_update::classify(&reply), number(&reply), adds);
    if arguments.json {
        let json = serde_json::to_string(&told.json).into_diagnostic()?;
        print(&format!("{json}\n"))?;
    } else if told.exit == Exit::Good {
        print(&format!("{}\n", told.what))?;
    } else {
        logs::tell(format_args!(
            "{:?}",
            miette!(help = told.advice, "{}", told.what)
        ));
    }
    Ok(told.exit)
}

fn read(file: &Path) -> miette::Result<Vec<u8>> {
    let mut text = Vec::new();
    let input: io::Result<Box<dyn Read>> = match file == Path::new("-") {
        true => Ok(Box::new(io::stdin())),
        false => File::open(file).map(|file| Box::new(file) as Box<dyn Read>),
    };
    input
        .and_then(|input| input.take(MOST_BYTES + 1).read_to_end(&mut text))
        .map_err(|error| {
            usage(
                format!("{} cannot be read: {error}", file.display()),
                "name a file with the JSON document, or - for standard input",
            )
        })?;
    if text.len() as u64 > MOST_BYTES {
        return Err(usage(
            format!("the document is longer than {MOST_BYTES} bytes"),
            "give one contact at a time",
        ));
    }
    Ok(text)
}

/// The fields of the document. What is wrong with it is told by its place: its text may be personal.
fn document(text: &[u8]) -> miette::Result<Map<String, Value>> {
    let help = "write one JSON object, e.g. {\"StudentInstitutionId\": \"0012345\", \"PhoneWork\": \"+12065550100\"}";
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    match serde_json::from_slice(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(usage("the document is JSON, but not an object", help)),
        Err(error) => Err(usage(
            format!(
                "the document is no JSON at line {}, column {} ({:?} error)",
                error.line(),
                error.column(),
                error.classify()
            ),
            help,
        )),
    }
}

fn invalid(problems: &[RuleViolation]) -> miette::Report {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| format!("  {problem}"))
        .collect();
    usage(
        format!(
            "the document breaks the CRM's rules and was not sent:\n{}",
            lines.join("\n")
        ),
        "correct every field that is named",
    )
}

fn number(reply: &Reply) -> Option<i64> {
    match reply {
        Reply::Answer(answer) => crm_update::crm_number(&answer.body),
        Reply::Unreachable { .. } | Reply::Lost { .. } => None,
    }
}

/// What a person and a script are told.
struct Told {
    exit: Exit,
    what: String,
    advice: &'static str,
    json: ContactUpdateReport,
}

/// `contact update --json`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ContactUpdateReport {
    /// `done`, a dead letter's class, a pause's reason, or `failed`.
    result: &'static str,
    /// The CRM's number of the contact, where it says it.
    crm_number: Option<i64>,
    /// Why it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

/// `adds`: the operation was an upsert.
fn tell(outcome: Outcome, crm_number: Option<i64>, adds: bool) -> Told {
    let (exit, result, what, advice) = match outcome {
        Outcome::Done { detail } => {
            let what = match (crm_number, adds) {
                (Some(number), true) => format!("updated or added CrmNumber {number}"),
                (Some(number), false) => format!("updated CrmNumber {number}"),
                (None, _) => detail,
            };
            let json = ContactUpdateReport {
                result: "done",
                crm_number,
                ..ContactUpdateReport::default()
            };
            return Told {
                exit: Exit::Good,
                what,
                advice: "",
                json,
            };
        }
        Outcome::Dead {
            class: class @ DeadClass::Unmatched,
            cause,
            ..
        } => (
            Exit::NeedsAPerson,
            class.as_str(),
            cause,
            "give more to match by (StudentInstitutionId, CrmNumber, an email address), loosen crm.matching, or add the person with --upsert",
        ),
        Outcome::Dead { class, cause, .. } => (
            Exit::Failed,
            class.as_str(),
            cause,
            "correct the named fields, or the CRM's own settings",
        ),
        Outcome::Retry { cause, .. } => (
            Exit::Failed,
            "failed",
            cause,
            "look at the contact in the CRM before trying again: notes, tasks and tags would be added twice",
        ),
        Outcome::Pause { reason, cause, .. } => (
            Exit::Failed,
            reason.as_str(),
            cause,
            "nothing was sent or taken; `alumniq-relay check --connect` tells more",
        ),
    };
    let json = ContactUpdateReport {
        result,
        cause: Some(what.clone()),
        advice: Some(advice),
        crm_number: None,
    };
    Told {
        exit,
        what,
        advice,
        json,
    }
}

#[cfg(test)]
mod tests {
    use jobs::{
        country::CountryCodes,
        outcome::{Blame, PauseReason},
    };

    use super::*;

    fn dead(class: DeadClass) -> Outcome {
        Outcome::Dead {
            class,
            cause: "why".to_owned(),
            advice: "then replay".to_owned(),
        }
    }

    #[test]
    fn an_outcome_has_its_exit_code_and_never_the_advice_of_a_queue() {
        let retry = Outcome::Retry {
            after: None,
            cause: "why".to_owned(),
            blame: Blame::Unknown,
        };
        let pause = Outcome::Pause {
            after: None,
            reason: PauseReason::Credentials,
            cause: "why".to_owned(),
        };
        for (outcome, code, result) in [
            (dead(DeadClass::Unmatched), 3, "unmatched"),
            (dead(DeadClass::Rejected), 1, "rejected"),
            (retry, 1, "failed"),
            (pause, 1, "credentials"),
        ] {
            let told = tell(outcome, None, false);
            assert_eq!((told.exit.code(), told.json.result), (code, result));
            assert!(!told.advice.contains("replay"));
        }
    }

    #[test]
    fn a_good_answer_tells_the_crm_number() {
        let done = || Outcome::Done {
            detail: "updated CrmNumber 12".to_owned(),
        };
        let told = tell(done(), Some(12), false);
        assert_eq!(
            (told.exit.code(), told.what.as_str()),
            (0, "updated CrmNumber 12")
        );
        assert_eq!(told.json.crm_number, Some(12));
        assert!(tell(done(), Some(12), true).what.contains("or added"));
    }

    #[test]
    fn a_document_that_is_none_is_told_by_its_place_and_not_quoted() {
        for text in [
            &b"{\"Email\": \"ann@example.org"[..],
            b"",
            b"[]",
            b"\xff\xfe",
            b"{\"a\":ann@x}",
        ] {
            let report = document(text).unwrap_err();
            assert!(super::super::is_usage(&report));
            assert!(!format!("{report:?}").contains("ann@"));
        }
        let deep = "[".repeat(1_000_000);
        assert!(document(deep.as_bytes()).is_err());
    }

    #[test]
    fn all_problems_are_told_at_once_and_no_value() {
        let fields = document(br#"{"Gender": "Ann", "EmailAddress2": "ann", "PhoneWorks": "1"}"#);
        let problems = ContactUpsertDto::from_fields(fields.unwrap(), CountryCodes::Alpha3)
            .map(|_| ())
            .unwrap_err();
        let message = invalid(&problems).to_string();
        assert!(
            message.lines().count() == 4 && message.contains("did you mean `PhoneWork`"),
            "{message}"
        );
        assert!(!message.contains("Ann"), "{message}");
    }
}
