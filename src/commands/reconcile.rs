//! `reconcile`: the books against AlumnIQ's feed.

use jobs::outcome::PauseReason;
use miette::IntoDiagnostic;
use queue::defects::Defects;

use super::{
    client::{ClientSession, QueueAccess},
    one_line, usage,
};
use crate::{
    cli::{GlobalArgs, pipeline::Reconcile as Arguments},
    exit::Exit,
    operations::reconcile::{Applied, Days, Muddled, Reconciled},
};

/// How many changes of each kind a person is shown.
const NAMED: usize = 8;

/// Compares and prints.
pub async fn run(global: &GlobalArgs, arguments: Arguments) -> miette::Result<Exit> {
    let days = Days::of(arguments.on, arguments.since, arguments.until).map_err(
        |Muddled { field, problem }| {
            usage(
                format!("--{field}: {problem}"),
                "see `alumniq-relay reconcile --help`",
            )
        },
    )?;
    let access = match arguments.fix {
        true => QueueAccess::Write,
        false => QueueAccess::Read,
    };
    let session = ClientSession::open_patiently(global, access).await?;
    let compared = session.reconcile(days, arguments.fix).await;
    session.close().await?;
    let report = compared?;
    super::print(&if arguments.json {
        format!("{}\n", serde_json::to_string(&report).into_diagnostic()?)
    } else {
        text(&report, arguments.fix)
    })?;
    Ok(match report.agrees {
        true => Exit::Good,
        false => Exit::NeedsAPerson,
    })
}

fn text(report: &Reconciled, mended: bool) -> String {
    let Reconciled { books, range, .. } = report;
    let mut text = match (report.agrees, mended) {
        (false, _) if report.defects.left > 0 => {
            "The queue's own data contradict themselves.\n".to_owned()
        }
        (true, false) => "The books and AlumnIQ's feed agree.\n".to_owned(),
        (true, true) => "Nothing is left that needs a person.\n".to_owned(),
        (false, _) => "The books and AlumnIQ's feed differ.\n".to_owned(),
    };
    text += &format!("{books}\n");
    text += &format!(
        "{} to {}: AlumnIQ lists {} changes as unprocessed\n\n",
        range.from, range.to, report.feed.rows
    );
    let fixed = report.fixed;
    text += &line(
        "unknown here",
        report.unknown_here.count,
        &report.unknown_here.change_ids,
    );
    if fixed.enqueued > 0 {
        text += &note(&format!("{} of them are in the queue now", fixed.enqueued));
    } else if report.unknown_here.count > 0 && !mended {
        text += &note("--fix takes them in; so does the next poll, where it looks back so far");
    }
    text += &line(
        "told, and still listed",
        report.acknowledged_but_listed.count,
        &report.acknowledged_but_listed.change_ids,
    );
    if fixed.acknowledged_again > 0 {
        text += &note(&format!(
            "AlumnIQ is told of {} of them again",
            fixed.acknowledged_again
        ));
    } else if report.acknowledged_but_listed.count > 0 && !mended {
        text += &note("--fix has AlumnIQ told again");
    }
    let applied = &report.applied_not_acknowledged;
    text += &line("applied, and not told", applied.count, &applied.change_ids);
    text += &reasons(applied, mended);
    text += &line(
        "open here, listed no more",
        report.open_but_not_listed.count,
        &report.open_but_not_listed.change_ids,
    );
    if report.open_but_not_listed.count > 0 {
        text += &note(
            "somebody marked them in AlumnIQ; they are still applied here: discard their dead letters where that is wrong",
        );
    }
    text += &line("defects of the queue", report.defects.total(), &[]);
    text += &defects(&report.defects, mended);
    if report.not_yet_polled > 0 {
        text += &format!(
            "\n{} changes were made since the last poll: the next one brings them.\n",
            report.not_yet_polled
        );
    }
    text
}

/// What contradicts in the queue's data, and what to do about it.
fn defects(defects: &Defects, mended: bool) -> String {
    let mut text = String::new();
    if defects.total() > 0 {
        text += &note(&format!("by kind: {defects}"));
    }
    text += &match (defects.left, mended) {
        (0, _) if defects.total() > 0 => note("all of them are repaired"),
        (0, _) => String::new(),
        (_, false) => note("--fix repairs them; so does the leader, once an hour"),
        (left, true) => note(&format!(
            "{left} cannot be repaired: see `alumniq-relay runbook queuedefects`"
        )),
    };
    if !defects.recounted {
        text += &note(
            "the counters were not recounted, because the fleet was working: run this again later",
        );
    }
    text
}

fn line(what: &str, count: u64, change_ids: &[String]) -> String {
    let mut ids: Vec<String> = change_ids
        .iter()
        .take(NAMED)
        .map(|id| one_line(id))
        .collect();
    if count > ids.len() as u64 {
        ids.push("…".to_owned());
    }
    let line = format!("{what:<26}{count:>6}  {}", ids.join(" "));
    format!("{}\n", line.trim_end())
}

fn note(text: &str) -> String {
    format!("{:>8}{text}\n", "")
}

/// Why AlumnIQ was not told.
fn reasons(applied: &Applied, mended: bool) -> String {
    let mut text = String::new();
    if applied.waiting > 0 {
        let why = match (&applied.pause, applied.acknowledger_lives) {
            (Some(pause), _) if pause.reason == PauseReason::Operator => format!(
                "alumniq is paused by {}: `alumniq-relay resume alumniq`",
                one_line(&pause.cause)
            ),
            (Some(pause), _) => format!(
                "alumniq is paused ({}): {}",
                pause.reason.as_str(),
                one_line(&pause.cause)
            ),
            (None, false) => {
                "no process tells AlumnIQ: start one with the role acknowledger, or `sync --wait`"
                    .to_owned()
            }
            (None, true) => "see `alumniq-relay show` of one".to_owned(),
        };
        text += &note(&format!("{} wait: {why}", applied.waiting));
    }
    if applied.told_again > 0 {
        text += &note(&format!(
            "{} were refused by AlumnIQ, and it is told again",
            applied.told_again
        ));
    }
    if applied.ack_rejected > 0 {
        let hint = match mended {
            true => "ask AlumnIQ, then discard",
            false => "see `alumniq-relay runbook ack_rejected`",
        };
        text += &note(&format!(
            "{} are refused by AlumnIQ: {hint}",
            applied.ack_rejected
        ));
    }
    if applied.discarded_untold > 0 {
        text += &note(&format!(
            "{} were discarded on purpose without telling AlumnIQ",
            applied.discarded_untold
        ));
    }
    text
}
