//! `dead list|show|replay|discard`.

use comfy_table::{ContentArrangement, Table, presets};
use miette::{IntoDiagnostic, miette};
use serde_json::json;

use super::{
    desk::{Action, Desk},
    show,
};
use crate::{
    cli::{
        Global,
        dead::{DeadCommand, DeadFilter, DeadList, DeadShow, Discard, Replay, Selection},
        value::Rate,
    },
    exit::Exit,
    operations::wanted::Wanted,
    queue::letters::{Handled, LetterPage},
};

/// Dispatches.
pub async fn run(global: &Global, command: DeadCommand) -> miette::Result<Exit> {
    let desk = Desk::open(global).await?;
    let done = match command {
        DeadCommand::List(arguments) => list(&desk, arguments).await,
        DeadCommand::Show(arguments) => show_letters(&desk, arguments).await,
        DeadCommand::Replay(arguments) => replay(&desk, arguments).await,
        DeadCommand::Discard(arguments) => discard(&desk, arguments).await,
    };
    desk.close().await?;
    done
}

async fn list(desk: &Desk, arguments: DeadList) -> miette::Result<Exit> {
    let limit = arguments.limit as usize;
    let page = desk
        .letters(&wanted(&arguments.filter), arguments.cursor.as_ref(), limit)
        .await?;
    super::print(&if arguments.json {
        format!("{}\n", serde_json::to_string(&page).into_diagnostic()?)
    } else {
        table(&page)
    })?;
    Ok(Exit::Good)
}

fn table(page: &LetterPage) -> String {
    if page.items.is_empty() {
        return "No dead letters.\n".to_owned();
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "change",
        "person",
        "where",
        "class",
        "tries",
        "died",
        "why and what to do",
    ]);
    for letter in &page.items {
        table.add_row([
            letter.change_id.clone(),
            letter.xid.clone().unwrap_or_default(),
            letter.destination.to_string(),
            letter.class.to_string(),
            letter.attempts.to_string(),
            letter
                .died_at
                .get(..19)
                .unwrap_or(&letter.died_at)
                .replace('T', " "),
            format!("{}\n{}", letter.cause, letter.advice),
        ]);
    }
    let mut text = format!("{table}\n\n{} of {}", page.items.len(), page.total);
    if let Some(next) = &page.next {
        text += &format!("; go on with --cursor {next}");
    }
    text + "\n"
}

async fn show_letters(desk: &Desk, arguments: DeadShow) -> miette::Result<Exit> {
    let mut shown = Vec::new();
    for id in &arguments.ids {
        let letters: Vec<_> = desk
            .letters_of(id)
            .await?
            .into_iter()
            .filter(|letter| {
                arguments
                    .destination
                    .is_none_or(|wanted| wanted == letter.destination)
            })
            .collect();
        if letters.is_empty() {
            return Err(miette!(
                help = "see `alumniq-relay show` for its timeline",
                "change {id} has no dead letter"
            ));
        }
        let timeline = desk.timeline(id).await?;
        if !arguments.json {
            for letter in &letters {
                super::print(&format!(
                    "{class} at {} since {}\n  why:     {}\n  advice:  {}\n  more:    `alumniq-relay runbook {class}`\n  attempts {}\n",
                    letter.destination,
                    letter.died_at,
                    letter.cause,
                    letter.advice,
                    letter.attempts,
                    class = letter.class
                ))?;
            }
            if let Some(timeline) = &timeline {
                super::print(&format!("{}\n", show::text(timeline)))?;
            }
        }
        shown.push(json!({ "letters": letters, "timeline": timeline }));
    }
    if arguments.json {
        super::print(&format!("{}\n", json!({ "items": shown })))?;
    }
    Ok(Exit::Good)
}

async fn replay(desk: &Desk, arguments: Replay) -> miette::Result<Exit> {
    let action = Action::Replay {
        apply_stale: arguments.apply_stale,
    };
    handle(
        desk,
        &action,
        &arguments.selection,
        arguments.rate,
        "replayed",
    )
    .await
}

async fn discard(desk: &Desk, arguments: Discard) -> miette::Result<Exit> {
    let selection = &arguments.selection;
    let reason = match arguments.reason {
        Some(reason) => reason,
        None if selection.dry_run => String::new(),
        None => {
            return Err(super::usage(
                "--reason is missing",
                "say why, it stays in the history",
            ));
        }
    };
    let action = Action::Discard {
        reason,
        keep_unacknowledged: arguments.keep_unacknowledged,
    };
    handle(desk, &action, selection, None, "discarded").await
}

async fn handle(
    desk: &Desk,
    action: &Action,
    selection: &Selection,
    rate: Option<Rate>,
    done: &str,
) -> miette::Result<Exit> {
    let wanted = wanted(&selection.filter);
    if selection.dry_run {
        let letters = desk.count(&selection.ids, &wanted).await?;
        return report(selection, &format!("would be {done}"), letters, 0);
    }
    let ended = desk.handle(action, &selection.ids, &wanted, rate).await?;
    let Handled { handled, gone } = ended.handled;
    match ended.cancelled {
        false => report(selection, done, handled, gone),
        true => {
            let done = format!("{done} before it was called off");
            report(selection, &done, handled, gone)?;
            Ok(Exit::Interrupted)
        }
    }
}

fn report(selection: &Selection, what: &str, handled: u64, gone: u64) -> miette::Result<Exit> {
    if selection.json {
        super::print(&format!(
            "{}\n",
            json!({ "letters": handled, "gone": gone, "dry_run": selection.dry_run })
        ))?;
    } else {
        let gone = if gone > 0 {
            format!(", {gone} were no dead letters any more")
        } else {
            String::new()
        };
        super::print(&format!("{handled} dead letters {what}{gone}\n"))?;
    }
    // Naming something that is not there is a mistake that a script should notice.
    Ok(if handled == 0 && gone > 0 {
        Exit::Failed
    } else {
        Exit::Good
    })
}

fn wanted(filter: &DeadFilter) -> Wanted {
    Wanted {
        destination: filter.destination,
        class: filter.class,
        cause: None,
        xid: filter.xid.clone(),
        since: filter.since.clone(),
        until: filter.until.clone(),
    }
}
