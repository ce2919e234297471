//! `status`: everything at a glance.

mod screen;
mod view;

use std::{collections::BTreeSet, io::IsTerminal, time::Duration};

use jobs::destination::Destination;
use miette::IntoDiagnostic;

use super::{
    desk::{Access, Desk},
    one_line,
    output::printed,
    table::{Column, table},
};
use crate::{
    cli::{Global, Status as Arguments},
    console::pages::verdict::{Level, is_key_refused, judge},
    exit::Exit,
    queue::{defects::LastCheck, stats::Status, trouble::Trouble},
};

/// How often `--watch` looks.
const REFRESH: Duration = Duration::from_secs(2);

/// Prints once, or again and again.
pub async fn run(global: &Global, arguments: Arguments) -> miette::Result<Exit> {
    let on_screen = arguments.watch && !arguments.json && has_screen();
    let global = match on_screen {
        // A line of the log would stand across the screen.
        true => &Global {
            quiet: global.verbose == 0,
            ..global.clone()
        },
        false => global,
    };
    let desk = Desk::open(global, Access::Read).await?;
    if on_screen {
        let who = match &desk {
            Desk::Redis(_) => "Redis",
            Desk::Server(_) => "The server",
        };
        let look = async || view::look(&desk).await.map_err(|report| report.to_string());
        screen::watch(who, look).await.into_diagnostic()?;
        desk.close().await?;
        return Ok(Exit::Good);
    }
    if arguments.watch {
        while printed(&show(&desk.status().await?, arguments.json)?)? {
            tokio::time::sleep(REFRESH).await;
        }
        desk.close().await?;
        return Ok(Exit::Good);
    }
    let status = desk.status().await?;
    super::print(&show(&status, arguments.json)?)?;
    desk.close().await?;
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
    let (_, verdict) = verdict(status);
    let mut text = format!("{}\n", one_line(&verdict));
    if status.memory.is_full() {
        text += &format!("{}\n", Trouble::Full);
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
    if let Some(pause) = status.pauses.get(&jobs::destination::Vendor::Alumniq) {
        text += &format!("AlumnIQ            paused: {}\n", pause.cause);
    }
    text += &format!(
        "oldest             {:.0} s since its fetch\n",
        status.oldest_unacknowledged_seconds
    );
    let producer = &status.producer;
    text += &format!(
        "last good fetch    {}{}\n",
        producer.last_success.as_deref().unwrap_or("none yet"),
        producer
            .error
            .as_ref()
            .map(|error| format!("; since then: {error}"))
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
        text += &format!("  {worker}  {}{leads}\n", roles.join(", "));
    }
    text + &hints(status)
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
fn verdict(status: &Status) -> (Level, String) {
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
    (verdict.level, format!("{text}{hint}."))
}
