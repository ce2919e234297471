//! `dead list|show|replay|discard`.

use comfy_table::{ContentArrangement, Table, presets};
use jobs::destination::Vendor;
use miette::{IntoDiagnostic, miette};
use serde_json::json;

use super::{
    assemble,
    context::{Context, operator},
    show,
};
use crate::{
    cli::{
        Global,
        dead::{DeadCommand, DeadFilter, DeadList, DeadShow, Discard, Replay, Selection},
        value::Rate,
    },
    exit::Exit,
    queue::{
        Queue,
        letters::{Handled, LetterFilter, LetterPage},
    },
};

/// How many letters one step of a bulk action takes.
const LETTERS_A_STEP: usize = 500;

/// Dispatches.
pub async fn run(global: &Global, command: DeadCommand) -> miette::Result<Exit> {
    let context = Context::load(global)?;
    let redis = context.redis().await?;
    let done = match command {
        DeadCommand::List(arguments) => list(&context, &redis.queue, arguments).await,
        DeadCommand::Show(arguments) => show_letters(&redis.queue, arguments).await,
        DeadCommand::Replay(arguments) => replay(&context, &redis.queue, arguments).await,
        DeadCommand::Discard(arguments) => discard(&context, &redis.queue, arguments).await,
    };
    redis.close().await?;
    done
}

async fn list(context: &Context, queue: &Queue, arguments: DeadList) -> miette::Result<Exit> {
    let filter = filter(context, &arguments.filter)?;
    let limit = arguments.limit as usize;
    let page = queue
        .letters(&filter, arguments.cursor.as_ref(), limit)
        .await
        .into_diagnostic()?;
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

async fn show_letters(queue: &Queue, arguments: DeadShow) -> miette::Result<Exit> {
    let mut shown = Vec::new();
    for id in &arguments.ids {
        let letters: Vec<_> = queue
            .letters_of(id)
            .await
            .into_diagnostic()?
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
        let timeline = queue.timeline(id).await.into_diagnostic()?;
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

async fn replay(context: &Context, queue: &Queue, arguments: Replay) -> miette::Result<Exit> {
    let selected = select(context, queue, &arguments.selection).await?;
    if arguments.selection.dry_run {
        return report(
            &arguments.selection,
            "would be replayed",
            selected.len() as u64,
            0,
        );
    }
    let (by, operations) = (operator(), assemble::operations(context, queue));
    let mut total = Handled::default();
    // With a rate, one at a time; without, as many as a script takes.
    let step = if arguments.rate.is_some() {
        1
    } else {
        LETTERS_A_STEP
    };
    let mut pace = arguments
        .rate
        .as_ref()
        .map(|rate: &Rate| tokio::time::interval(rate.interval()));
    for letters in selected.chunks(step) {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let handled = operations
            .replay(letters, arguments.apply_stale, &by)
            .await
            .into_diagnostic()?;
        total.handled += handled.handled;
        total.gone += handled.gone;
    }
    report(&arguments.selection, "replayed", total.handled, total.gone)
}

async fn discard(context: &Context, queue: &Queue, arguments: Discard) -> miette::Result<Exit> {
    let selected = select(context, queue, &arguments.selection).await?;
    if arguments.selection.dry_run {
        return report(
            &arguments.selection,
            "would be discarded",
            selected.len() as u64,
            0,
        );
    }
    let Some(reason) = arguments.reason else {
        return Err(super::usage(
            "--reason is missing",
            "say why, it stays in the history",
        ));
    };
    let by = operator();
    let mut total = Handled::default();
    for letters in selected.chunks(LETTERS_A_STEP) {
        let handled = queue
            .discard(letters, !arguments.keep_unacknowledged, &reason, &by)
            .await
            .into_diagnostic()?;
        total.handled += handled.handled;
        total.gone += handled.gone;
    }
    report(&arguments.selection, "discarded", total.handled, total.gone)
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

/// The letters that ids or a filter name, oldest first.
async fn select(
    context: &Context,
    queue: &Queue,
    selection: &Selection,
) -> miette::Result<Vec<(Vendor, String)>> {
    let filter = filter(context, &selection.filter)?;
    if selection.ids.is_empty() {
        return queue.every_letter(&filter).await.into_diagnostic();
    }
    let mut selected = Vec::new();
    for id in &selection.ids {
        let letters = queue.letters_of(id).await.into_diagnostic()?;
        let before = selected.len();
        selected.extend(
            letters
                .into_iter()
                .filter(|letter| filter.matches(letter))
                .map(|letter| (letter.destination, letter.change_id)),
        );
        if selected.len() == before {
            return Err(miette!(
                help = "see `alumniq-relay dead list`",
                "change {id} has no such dead letter"
            ));
        }
    }
    Ok(selected)
}

fn filter(context: &Context, filter: &DeadFilter) -> miette::Result<LetterFilter> {
    let instant = |moment: &crate::cli::value::Moment| {
        let instant = super::instant(moment, &context.config.alumniq.timezone)?;
        Ok::<_, miette::Report>(u64::try_from(instant.as_millisecond()).unwrap_or_default())
    };
    Ok(LetterFilter {
        vendor: filter.destination,
        class: filter.class,
        cause: None,
        xid: filter.xid.clone(),
        since: filter.since.as_ref().map(instant).transpose()?,
        until: filter.until.as_ref().map(instant).transpose()?,
    })
}
