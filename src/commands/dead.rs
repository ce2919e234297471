//! `dead list|groups|show|replay|discard`.

use std::collections::BTreeMap;

use miette::{IntoDiagnostic, miette};
use queue::{
    bulk::BulkAction,
    letters::{DeadLetterOrder, Handled, LetterGroup, LetterPage},
};
use tokio_util::sync::CancellationToken;

use super::{
    bulk::{self, BulkResult},
    client::{ClientSession, QueueAccess},
    show, signals,
    table::{Column, instant, table},
    told::{LetterShown, LettersShown},
};
use crate::{
    cli::{
        GlobalArgs,
        dead::{
            DeadCommand, DeadGroupsArgs, DeadListArgs, DeadShowArgs, DiscardArgs, ReplayArgs,
            SelectionArgs,
        },
    },
    exit::Exit,
    operations::{
        bulk::NewBulk,
        dead_letters::{DeadLetterFilter, LetterName},
        reason::InvalidReason,
        wire::{DiscardRequest, LetterGroups, LettersHandled, ReplayRequest},
    },
};

/// Dispatches.
pub async fn run(global: &GlobalArgs, command: DeadCommand) -> miette::Result<Exit> {
    let access = match command {
        DeadCommand::List(_) | DeadCommand::Groups(_) | DeadCommand::Show(_) => QueueAccess::Read,
        DeadCommand::Replay(_) | DeadCommand::Discard(_) => QueueAccess::Write,
    };
    let interrupted = signals::interruption()?;
    let opening = interrupted.run_until_cancelled(ClientSession::open(global, access));
    let Some(session) = opening.await else {
        return Ok(signals::exit());
    };
    let session = session?;
    let is_bulk = is_bulk(&command);
    let work = Box::pin(async {
        match command {
            DeadCommand::List(arguments) => list(&session, arguments).await,
            DeadCommand::Groups(arguments) => groups(&session, arguments).await,
            DeadCommand::Show(arguments) => show_letters(&session, arguments).await,
            DeadCommand::Replay(arguments) => replay(&session, arguments, &interrupted).await,
            DeadCommand::Discard(arguments) => discard(&session, arguments, &interrupted).await,
        }
    });
    let done = match is_bulk {
        true => Some(work.await),
        false => interrupted.run_until_cancelled(work).await,
    };
    session.close().await?;
    done.unwrap_or_else(|| Ok(signals::exit()))
}

/// Whether it begins a bulk: a signal cancels that instead of dropping the command.
fn is_bulk(command: &DeadCommand) -> bool {
    match command {
        DeadCommand::Replay(replay) => replay.is_bulk(),
        DeadCommand::Discard(discard) => discard.is_bulk(),
        _ => false,
    }
}

async fn list(session: &ClientSession, arguments: DeadListArgs) -> miette::Result<Exit> {
    let limit = arguments.limit as usize;
    let filter = filter(session, &arguments.filter).await?;
    let order = match arguments.newest {
        true => DeadLetterOrder::NewestFirst,
        false => DeadLetterOrder::OldestFirst,
    };
    let page = session
        .letters(order, &filter, arguments.cursor.as_ref(), limit)
        .await?;
    super::print(&if arguments.json {
        format!("{}\n", serde_json::to_string(&page).into_diagnostic()?)
    } else {
        text(&page)
    })?;
    Ok(Exit::Good)
}

fn text(page: &LetterPage) -> String {
    if page.items.is_empty() {
        return "No dead letters.\n".to_owned();
    }
    let columns = [
        Column::Words("change"),
        Column::Words("person"),
        Column::Words("where"),
        Column::Words("class"),
        Column::Number("tries"),
        Column::Words("died"),
        Column::Words("why and what to do"),
    ];
    let rows = page.items.iter().map(|letter| {
        [
            letter.change_id.clone(),
            letter.xid.clone().unwrap_or_default(),
            letter.destination.to_string(),
            letter.class.to_string(),
            letter.attempts.to_string(),
            instant(&letter.died_at),
            format!("{}\n{}", letter.cause, letter.advice),
        ]
    });
    let table = table(columns, rows);
    let mut text = format!("{table}\n{} of {}", page.items.len(), page.total);
    if let Some(next) = &page.next {
        text += &format!("; go on with --cursor {next}");
    }
    text + "\n"
}

async fn show_letters(session: &ClientSession, arguments: DeadShowArgs) -> miette::Result<Exit> {
    let mut shown = LettersShown::default();
    for id in &arguments.ids {
        let timeline = session.timeline(id).await?;
        let letters: Vec<_> = timeline
            .iter()
            .flat_map(|timeline| &timeline.letters)
            .filter(|letter| {
                let at = letter.destination;
                arguments.destination.is_none_or(|wanted| wanted == at)
            })
            .cloned()
            .collect();
        if letters.is_empty() {
            return Err(miette!(
                help = "see `alumniq-relay show` for its timeline",
                "change {id} has no dead letter"
            ));
        }
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
        shown.items.push(LetterShown { letters, timeline });
    }
    if arguments.json {
        let json = serde_json::to_string(&shown).into_diagnostic()?;
        super::print(&format!("{json}\n"))?;
    }
    Ok(Exit::Good)
}

async fn replay(
    session: &ClientSession,
    arguments: ReplayArgs,
    interrupted: &CancellationToken,
) -> miette::Result<Exit> {
    let is_bulk = arguments.is_bulk();
    let ReplayArgs {
        selection,
        rate,
        apply_stale,
    } = arguments;
    let filter = filter(session, &selection.filter).await?;
    if is_bulk {
        let new = NewBulk {
            action: BulkAction::Replay,
            filter,
            change_ids: selection.ids.clone(),
            rate,
            reason: String::new(),
            apply_stale,
            keep_unacknowledged: false,
        };
        let ended = bulk::carry_out(session, new, interrupted).await?;
        return report_ended(&selection, "replayed", ended);
    }
    let request = ReplayRequest {
        ids: names(&selection),
        filter: Some(filter),
        dry_run: selection.dry_run,
        apply_stale,
    };
    report(&selection, "replayed", session.replay(request).await?)
}

async fn discard(
    session: &ClientSession,
    arguments: DiscardArgs,
    interrupted: &CancellationToken,
) -> miette::Result<Exit> {
    let is_bulk = arguments.is_bulk();
    let DiscardArgs {
        selection,
        reason,
        keep_unacknowledged,
    } = arguments;
    if reason.is_none() && !selection.dry_run {
        return Err(super::usage(InvalidReason::Missing, "add --reason TEXT"));
    }
    let reason = reason.map(String::from).unwrap_or_default();
    let filter = filter(session, &selection.filter).await?;
    if is_bulk {
        let new = NewBulk {
            action: BulkAction::Discard,
            filter,
            change_ids: Vec::new(),
            rate: None,
            reason,
            apply_stale: false,
            keep_unacknowledged,
        };
        let ended = bulk::carry_out(session, new, interrupted).await?;
        return report_ended(&selection, "discarded", ended);
    }
    let request = DiscardRequest {
        ids: names(&selection),
        filter: Some(filter),
        dry_run: selection.dry_run,
        reason,
        keep_unacknowledged,
    };
    report(&selection, "discarded", session.discard(request).await?)
}

fn report_ended(selection: &SelectionArgs, done: &str, ended: BulkResult) -> miette::Result<Exit> {
    let Handled { handled, gone } = ended.handled;
    let handled = LettersHandled {
        letters: handled,
        gone,
        left: 0,
        dry_run: false,
    };
    match ended.cancelled {
        false => report(selection, done, handled),
        true => {
            report(
                selection,
                &format!("{done} before it was called off"),
                handled,
            )?;
            Ok(signals::exit())
        }
    }
}

fn names(selection: &SelectionArgs) -> Vec<LetterName> {
    let name = |id: &String| LetterName {
        change_id: id.clone(),
        destination: None,
    };
    selection.ids.iter().map(name).collect()
}

fn report(selection: &SelectionArgs, done: &str, handled: LettersHandled) -> miette::Result<Exit> {
    let LettersHandled { letters, gone, .. } = handled;
    if selection.json {
        let json = serde_json::to_string(&handled).into_diagnostic()?;
        super::print(&format!("{json}\n"))?;
    } else {
        let would_be = if handled.dry_run { "would be " } else { "" };
        let gone = if gone > 0 {
            format!(", {gone} were no dead letters any more")
        } else {
            String::new()
        };
        super::print(&format!("{letters} dead letters {would_be}{done}{gone}\n"))?;
    }
    // Naming something that is not there is a mistake that a script should notice.
    Ok(if letters == 0 && gone > 0 {
        Exit::Failed
    } else {
        Exit::Good
    })
}

async fn groups(session: &ClientSession, arguments: DeadGroupsArgs) -> miette::Result<Exit> {
    let filter = filter(session, &arguments.filter).await?;
    let groups = LetterGroups {
        items: session.groups(&filter).await?,
    };
    super::print(&if arguments.json {
        format!("{}\n", serde_json::to_string(&groups).into_diagnostic()?)
    } else {
        groups_text(&groups.items)
    })?;
    Ok(Exit::Good)
}

fn groups_text(groups: &[LetterGroup]) -> String {
    if groups.is_empty() {
        return "No dead letters.\n".to_owned();
    }
    let columns = [
        Column::Number("letters"),
        Column::Words("where"),
        Column::Words("class"),
        Column::Words("group"),
        Column::Words("newest"),
        Column::Words("why and what to do"),
    ];
    let rows = groups.iter().map(|group| {
        [
            group.count.to_string(),
            group.destination.to_string(),
            group.class.to_string(),
            group.cause.clone(),
            instant(&group.newest_at),
            format!("{}\n{}", group.text, group.advice),
        ]
    });
    let letters: u64 = groups.iter().map(|group| group.count).sum();
    format!(
        "{}\n{letters} in {} groups; `dead list --cause GROUP` lists one, `dead replay --cause GROUP` replays it\n",
        table(columns, rows),
        groups.len()
    )
}

/// The filter with the key of the cause that is meant.
async fn filter(
    session: &ClientSession,
    filter: &DeadLetterFilter,
) -> miette::Result<DeadLetterFilter> {
    let mut filter = filter.clone();
    if let Some(cause) = filter.cause.take() {
        filter.cause = Some(group(session, &filter, &cause).await?);
    }
    Ok(filter)
}

/// The key of the group that is meant: by the key itself, or by words that its cause alone has.
async fn group(
    session: &ClientSession,
    filter: &DeadLetterFilter,
    cause: &str,
) -> miette::Result<String> {
    if is_key(cause) {
        return Ok(cause.to_owned());
    }
    let words = cause.to_lowercase();
    let groups = session.groups(filter).await?;
    let keys: BTreeMap<&str, &str> = groups
        .iter()
        .filter(|group| group.text.to_lowercase().contains(&words))
        .map(|group| (group.cause.as_str(), group.text.as_str()))
        .collect();
    match keys.iter().collect::<Vec<_>>().as_slice() {
        [] => Err(super::usage(
            format!("no dead letter's cause has {:?}", super::one_line(cause)),
            "`alumniq-relay dead groups` lists every cause",
        )),
        [(key, _)] => Ok((**key).to_owned()),
        several => {
            let lines = several
                .iter()
                .map(|(key, text)| format!("  {key}  {}", super::one_line(text)));
            Err(super::usage(
                format!("several causes have {:?}", super::one_line(cause)),
                &format!(
                    "name one by its group:\n{}",
                    lines.collect::<Vec<_>>().join("\n")
                ),
            ))
        }
    }
}

/// As the queue makes them: twelve hex digits.
fn is_key(cause: &str) -> bool {
    cause.len() == 12
        && cause
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
