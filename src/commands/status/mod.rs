//! `status`: everything at a glance.

mod screen;

use std::{cmp::Reverse, collections::BTreeSet, io::IsTerminal, time::Duration};

use jobs::destination::{Destination, Vendor};
use miette::IntoDiagnostic;
use queue::{defects::LastCheck, stats::Status, trouble::RedisErrorKind};

use super::{
    client::{ClientSession, QueueAccess},
    one_line,
    output::printed,
    table::{Column, table},
};
use crate::{
    cli::{GlobalArgs, StatusArgs as Arguments},
    console::pages::verdict::{is_key_refused, judge},
    exit::Exit,
};

/// How often `--watch` looks.
const REFRESH: Duration = Duration::from_secs(2);

/// Prints once, or again and again.
pub async fn run(global: &GlobalArgs, arguments: Arguments) -> miette::Result<Exit> {
    let on_screen = arguments.watch && !arguments.json && has_screen();
    let global = match on_screen {
        // A line of the log would stand across the screen.
        true => &GlobalArgs {
            quiet: global.verbose == 0,
            ..global.clone()
        },
        false => global,
    };
    let session = ClientSession::open(global, QueueAccess::Read).await?;
    match (arguments.watch, on_screen) {
        (false, _) => super::print(&show(&session.status().await?, arguments.json)?)?,
        (true, true) => {
            let source = match session.is_local() {
                true => "Redis",
                false => "The server",
            };
            screen::watch(source, async || Ok(text(&session.status().await?))).await?;
        }
        (true, false) => {
            // A line of JSON needs none.
            let separator = if arguments.json { "" } else { "\n" };
            while printed(&(show(&session.status().await?, arguments.json)? + separator))? {
                tokio::time::sleep(REFRESH).await;
            }
        }
    }
    session.close().await?;
    Ok(Exit::Good)
}

/// Whether stdout is a terminal that can do more than lines.
fn has_screen() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    std::io::stdout().is_terminal() && !is_dumb
}

fn show(status: &Status, json: bool) -> miette::Result<String> {
    if json {
        return Ok(format!(
            "{}\n",
            serde_json::to_string(status).into_diagnostic()?
        ));
    }
    Ok(text(status))
}

/// For people.
pub fn text(status: &Status) -> String {
    let mut text = format!("{}\n", one_line(&verdict(status)));
    if status.memory.is_full() {
        text += &format!("{}\n", RedisErrorKind::Full);
    }
    text += &format!("{}\n\n", status.books);
    let columns = [
        Column::Words(""),
        Column::Number("waiting"),
        Column::Number("ready"),
        Column::Number("running"),
        Column::Number("retry"),
        Column::Number("dead"),
        Column::Words(""),
    ];
    let rows = status.destinations.iter().map(|(destination, counts)| {
        let pause = status.pauses.get(&(*destination).into());
        let pause = pause.map(|pause| match pause.seconds_left {
            Some(left) if left > 0.0 => format!("paused for {left:.0} s: {}", pause.cause),
            Some(_) => format!("trying again: {}", pause.cause),
            None => format!("paused by {}", pause.cause),
        });
        [
            destination.to_string(),
            counts.waiting.to_string(),
            counts.ready.to_string(),
            counts.running.to_string(),
            counts.retry.to_string(),
            counts.dead.to_string(),
            pause.unwrap_or_default(),
        ]
    });
    text += &table(columns, rows);
    text.push('\n');
    text += &format!(
        "to acknowledge     {}\n",
        status.to_acknowledge + status.acknowledging
    );
    if let Some(pause) = status.pauses.get(&Vendor::Alumniq) {
        text += &format!("AlumnIQ            paused: {}\n", one_line(&pause.cause));
    }
    text += &format!(
        "oldest             {:.0} s since its fetch\n",
        status.oldest_unacknowledged_seconds
    );
    if let Some(classes) = dead_letters(status) {
        text += &format!("dead letters       {classes}\n");
    }
    let producer = &status.producer;
    text += &format!(
        "last good fetch    {}{}\n",
        producer.last_success.as_deref().unwrap_or("none yet"),
        producer
            .error
            .as_ref()
            .map(|error| format!("; since then: {}", one_line(error)))
            .unwrap_or_default(),
    );
    match producer.key_days {
        _ if is_key_refused(status) => text += "AlumnIQ's key      refused\n",
        Some(days) => text += &format!("AlumnIQ's key      {days} days left\n"),
        None => {}
    }
    if let Some(last) = &status.last_check
        && last.defects.total() > 0
    {
        text += &format!("last check         {}\n", found(last));
    }
    text += &format!("processes          {}\n", status.workers.len());
    for (worker, info) in &status.workers {
        let roles: Vec<&str> = info["roles"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|role| role.as_str())
            .collect();
        let leads = if producer.leader.as_ref() == Some(worker) {
            ", leads"
        } else {
            ""
        };
        let (worker, roles) = (one_line(worker), one_line(&roles.join(", ")));
        text += &format!("  {worker}  {roles}{leads}\n");
    }
    text + &hints(status)
}

/// How many there are of each class, the most frequent first.
fn dead_letters(status: &Status) -> Option<String> {
    let vendors = status.dead_letters.iter();
    let counts = vendors.flat_map(|(vendor, classes)| {
        let classes = classes.iter().filter(|(_, count)| **count > 0);
        classes.map(move |(class, count)| (*count, format!("{count} {vendor} {class}")))
    });
    let mut counts: Vec<(u64, String)> = counts.collect();
    counts.sort_by_key(|(count, _)| Reverse(*count));
    let classes: Vec<String> = counts.into_iter().map(|(_, class)| class).collect();
    (!classes.is_empty()).then(|| classes.join(", "))
}

/// What the leader's last check found.
fn found(last: &LastCheck) -> String {
    let at = i64::try_from(last.at_timestamp_seconds).unwrap_or_default();
    let at = jiff::Timestamp::from_second(at).unwrap_or_default();
    let left = match last.defects.left {
        0 => "repaired".to_owned(),
        left => format!("{left} are left: `alumniq-relay runbook queuedefects`"),
    };
    format!(
        "{at} found defects in the queue's data: {}; {left}",
        last.defects
    )
}

/// Where to read what to do, for each kind of pause. Dead letters have their own advice.
fn hints(status: &Status) -> String {
    let reasons: BTreeSet<&str> = status
        .pauses
        .values()
        .map(|pause| pause.reason.as_str())
        .collect();
    reasons
        .into_iter()
        .map(|reason| format!("what to do         `alumniq-relay runbook {reason}`\n"))
        .collect()
}

/// The sentence that answers first: the worst that is to be said, as the console's overview says it.
fn verdict(status: &Status) -> String {
    let enabled: Vec<Destination> = status.destinations.keys().copied().collect();
    // Between two runs of `sync --wait` no process runs, and none is missing.
    let rests = status.workers.is_empty() && status.books.in_flight == 0;
    let verdict = judge(status, (!rests).then_some(enabled.as_slice()));
    let worst = verdict.head.first();
    let text = worst.map_or_else(String::new, |remark| remark.text.clone());
    let hint = match worst.and_then(|remark| remark.hint) {
        Some(hint) => format!(": `{hint}`"),
        None => String::new(),
    };
    format!("{text}{hint}.")
}

#[cfg(test)]
mod tests {
    use jobs::outcome::{DeadClass, PauseReason};

    use super::*;
    use crate::console::pages::fixtures::{pause, status};

    #[test]
    fn text_of_others_commands_no_terminal() {
        let mut status = status();
        let command = "\u{1b}[2Jx\ny";
        status.producer.error = Some(command.to_owned());
        status.workers.insert(
            command.to_owned(),
            serde_json::json!({ "roles": [command] }),
        );
        for vendor in [Vendor::Crm, Vendor::Alumniq] {
            let down = pause(PauseReason::Outage, command, Some(42.0));
            status.pauses.insert(vendor, down);
        }
        let text = text(&status);
        let controls = text.chars().filter(|c| c.is_control() && *c != '\n');
        assert_eq!(controls.count(), 0, "{text:?}");
    }

    #[test]
    fn dead_letters_are_counted_by_class_the_most_frequent_first() {
        let mut status = status();
        assert!(!text(&status).contains("dead letters"));
        let crm = [(DeadClass::Unmatched, 2), (DeadClass::Stale, 0)];
        let salsa = [(DeadClass::Validation, 7)];
        status.dead_letters.insert(Vendor::Crm, crm.into());
        status.dead_letters.insert(Vendor::Salsa, salsa.into());
        let text = text(&status);
        assert!(
            text.contains("dead letters       7 salsa validation, 2 crm unmatched\n"),
            "{text}"
        );
    }
}
