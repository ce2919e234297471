//! `status`: everything at a glance.

mod screen;
mod view;

use std::{collections::BTreeSet, io::IsTerminal, time::Duration};

use miette::IntoDiagnostic;

use super::{
    desk::{Access, Desk},
    table::{Column, table},
};
use crate::{
    cli::{Global, Status as Arguments},
    exit::Exit,
    queue::{stats::Status, trouble::Trouble},
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
        loop {
            let status = desk.status().await?;
            super::print(&show(&status, arguments.json)?)?;
            tokio::time::sleep(REFRESH).await;
        }
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
    let mut text = verdict(status);
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
    if let Some(days) = producer.key_days {
        text += &format!("AlumnIQ's key      {days} days left\n");
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

/// The sentence that answers first.
fn verdict(status: &Status) -> String {
    let books = status.books;
    let paused = !status.pauses.is_empty();
    match (books.dead, books.in_flight, paused) {
        (0, 0, _) => "Everything is through.\n".to_owned(),
        (0, _, false) => "Everything is moving.\n".to_owned(),
        (0, _, true) => "Nothing needs a person, but something is paused.\n".to_owned(),
        (dead, _, _) => format!("{dead} changes need a person: `alumniq-relay dead list`.\n"),
    }
}
