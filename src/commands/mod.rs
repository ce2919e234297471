//! One file a subcommand, each a composition root.

use std::fmt::Display;

use jiff::{Timestamp, tz::TimeZone};
use miette::{Diagnostic, IntoDiagnostic, Report};
use tokio::task::JoinError;

use self::output::print;
use crate::{
    cli::{Cli, Command, GlobalArgs, pipeline::Only, value::Moment},
    config::{self as configuration, ConfigErrors},
    exit::Exit,
    observe::logs,
    vendors::FeedFilter,
    visible::marked,
};

mod adopt_destinations;
mod assemble;
mod bulk;
mod chaos;
mod check;
mod client;
mod completions;
mod config;
mod contact;
mod context;
mod dead;
mod demo;
mod destinations;
mod encryption;
mod erase;
mod gate;
mod man;
mod map;
mod metrics_file;
mod notify;
mod openapi;
mod output;
mod preview;
mod progress;
mod reconcile;
mod run;
mod runbook;
mod sandbox;
mod schema;
mod show;
mod signals;
mod status;
mod supporter;
mod sync;
mod table;
mod temporary;
mod told;

/// Runs a command; shows what stopped it on stderr.
pub fn run(cli: Cli) -> Exit {
    match dispatch(cli) {
        Ok(exit) => exit,
        Err(report) => {
            logs::tell(format_args!("{report:?}"));
            exit_of(&report)
        }
    }
}

fn dispatch(cli: Cli) -> miette::Result<Exit> {
    let global = &cli.global;
    match cli.command {
        Command::Config(command) => config::run(global, command),
        Command::Completions { shell } => completions::run(shell),
        Command::Man(arguments) => man::run(&arguments),
        Command::Map(command) => map::run(global, command),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Runbook(arguments) => runbook::run(arguments),
        Command::Openapi => openapi::run(),
        command => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .into_diagnostic()?;
            let done = runtime.block_on(async {
                tokio::select! {
                    done = run_async(global, command) => done,
                    () = signals::second() => Ok(signals::exit()),
                }
            });
            // What is dropped now may have something to clear away; a name lookup that hangs may not hold us.
            runtime.shutdown_timeout(signals::LAST_WORDS);
            done
        }
    }
}

/// A signal drops the commands that only look or write at once: with them goes a `redis-server` that they started.
async fn run_async(global: &GlobalArgs, command: Command) -> miette::Result<Exit> {
    let is_done = match &command {
        // "Until interrupted" is what it asks for.
        Command::Status(arguments) if arguments.watch => true,
        Command::Status(_)
        | Command::Show(_)
        | Command::Pause(_)
        | Command::Resume(_)
        | Command::Check(_)
        | Command::Preview(_)
        | Command::Reconcile(_)
        | Command::Erase(_)
        | Command::AdoptDestinations
        | Command::Encryption(_)
        | Command::Notify(_) => false,
        _ => return dispatch_async(global, command).await,
    };
    let work = Box::pin(dispatch_async(global, command));
    let ended = signals::unless_interrupted(work).await?;
    ended.unwrap_or_else(|| {
        Ok(match is_done {
            true => Exit::Good,
            false => signals::exit(),
        })
    })
}

async fn dispatch_async(global: &GlobalArgs, command: Command) -> miette::Result<Exit> {
    match command {
        Command::Demo(arguments) => demo::run(global, arguments).await,
        Command::Chaos(arguments) => chaos::run(global, arguments).await,
        Command::Run(arguments) => run::run(global, arguments).await,
        Command::Sync(arguments) => sync::run(global, arguments).await,
        Command::Preview(arguments) => preview::run(global, arguments).await,
        Command::Reconcile(arguments) => reconcile::run(global, arguments).await,
        Command::Status(arguments) => status::run(global, arguments).await,
        Command::Show(arguments) => show::run(global, arguments).await,
        Command::Dead(command) => dead::run(global, command).await,
        Command::Pause(arguments) => gate::pause(global, arguments).await,
        Command::Resume(arguments) => gate::resume(global, arguments).await,
        Command::Erase(arguments) => erase::run(global, arguments).await,
        Command::AdoptDestinations => adopt_destinations::run(global).await,
        Command::Encryption(command) => encryption::run(global, command).await,
        Command::Check(arguments) => check::run(global, arguments).await,
        Command::Config(command) => config::run(global, command),
        Command::Notify(command) => notify::run(global, command).await,
        Command::Sandbox(arguments) => sandbox::run(global, arguments).await,
        Command::Supporter(command) => supporter::run(global, command).await,
        Command::Contact(command) => contact::run(global, command).await,
        Command::Completions { shell } => completions::run(shell),
        Command::Man(arguments) => man::run(&arguments),
        Command::Map(command) => map::run(global, command),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Runbook(arguments) => runbook::run(arguments),
        Command::Openapi => openapi::run(),
    }
}

/// Wrong usage that shows only after the command line was read: exit code 2.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
struct Usage {
    message: String,
    #[help]
    help: Option<String>,
}

/// An error of usage or configuration, with what to do instead.
fn usage(message: impl Display, help: &str) -> Report {
    Report::new(Usage {
        message: message.to_string(),
        help: Some(help.to_owned()),
    })
}

/// An error of usage or configuration that says itself what to do.
fn misused(error: impl Display) -> Report {
    Report::new(Usage {
        message: error.to_string(),
        help: None,
    })
}

/// A signal ended the command before it was done.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("interrupted: {0}")]
struct Interrupted(&'static str);

/// The same; `left`: how it leaves things.
fn interrupted(left: &'static str) -> Report {
    Report::new(Interrupted(left))
}

fn is_usage(report: &Report) -> bool {
    report.downcast_ref::<ConfigErrors>().is_some() || report.downcast_ref::<Usage>().is_some()
}

/// What a command that this stopped exits with.
fn exit_of(report: &Report) -> Exit {
    match is_usage(report) {
        true => Exit::Usage,
        false if report.downcast_ref::<Interrupted>().is_some() => signals::exit(),
        false => Exit::Failed,
    }
}

/// The instant that was typed; a day begins at its first in `timezone`.
fn instant(moment: &Moment, timezone: &TimeZone) -> miette::Result<Timestamp> {
    moment.instant(Timestamp::now(), timezone).map_err(|_| {
        usage(
            "the calendar does not reach that far",
            "write a day (2026-11-21), an instant (2026-11-21T02:00:00Z) or how long ago (2h, 3d)",
        )
    })
}

/// What AlumnIQ is asked for; `None` = as the schedule asks.
fn asked_for(only: Only) -> Option<FeedFilter> {
    let Only { on, since, xid } = only;
    on.map(FeedFilter::ChangedOn)
        .or(since.map(FeedFilter::ChangedSince))
        .or(xid.map(FeedFilter::Xid))
}

/// What a task returned. Its panic's message may hold a row's data, so it is not repeated.
fn joined<T>(ended: Result<T, JoinError>) -> miette::Result<T> {
    ended.map_err(|error| {
        let how = if error.is_panic() {
            "panicked"
        } else {
            "was given up"
        };
        miette::miette!("a part of the program {how}: this is a defect, the log names the place")
    })
}

/// Shows a configuration's warnings on stderr.
fn warn_of(warnings: Vec<configuration::ConfigFinding>) {
    let left = warnings.len().saturating_sub(configuration::SHOWN);
    for warning in warnings.into_iter().take(configuration::SHOWN) {
        logs::tell(format_args!("{:?}", Report::new(warning)));
    }
    if left > 0 {
        logs::tell(format_args!(
            "{left} more warnings; see `alumniq-relay check`"
        ));
    }
}

/// Text of a vendor or a person as one line of a terminal, without what could command the terminal.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .map(marked)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use miette::Context as _;

    use super::*;

    #[test]
    fn wrong_usage_is_told_from_failure_however_it_is_wrapped() {
        let wrapped = Err::<(), _>(usage("no such day", "write another"))
            .wrap_err("a context")
            .unwrap_err();
        assert!(is_usage(&wrapped));
        assert!(is_usage(&misused("a wrong key")));
        assert!(!is_usage(&miette::miette!("Redis is away")));
    }

    #[test]
    fn what_others_say_is_one_line_that_commands_no_terminal() {
        assert_eq!(one_line(" a\n\tb \u{1b}[2Jc\u{7}"), "a b [2Jc");
        // Neither turns the line around nor looks like another text.
        assert_eq!(
            one_line("\u{202e}gnp.exe 1001\u{200b}\u{2028}x"),
            "\u{fffd}gnp.exe 1001\u{fffd} x"
        );
    }

    #[tokio::test]
    async fn a_panic_in_a_task_is_told_without_its_message() {
        let ended = tokio::spawn(async { panic!("ann@example.org") }).await;
        let report = joined(ended).unwrap_err();
        assert!(!format!("{report:?}").contains("ann@"));
    }
}
