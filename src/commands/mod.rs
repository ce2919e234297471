//! One file a subcommand, each a composition root.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use miette::IntoDiagnostic;

use crate::{
    cli::{Cli, Command, Global},
    config::ConfigErrors,
};

mod assemble;
mod completions;
mod config;
mod context;
mod dead;
mod demo;
mod gate;
mod progress;
mod run;
mod sandbox;
mod show;
mod signals;
mod status;
mod sync;

/// Wrong usage or configuration.
pub const EXIT_USAGE: u8 = 2;

/// Finished, but something needs a person.
pub const EXIT_NEEDS_A_PERSON: u8 = 3;

/// Runs a command; shows what stopped it on stderr.
pub fn run(cli: Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(code) => code,
        Err(report) => {
            eprintln!("{report:?}");
            match report.downcast_ref::<ConfigErrors>() {
                Some(_) => ExitCode::from(EXIT_USAGE),
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn dispatch(cli: Cli) -> miette::Result<ExitCode> {
    let global = &cli.global;
    match cli.command {
        Command::Config(command) => config::run(global, command),
        Command::Completions { shell } => completions::run(shell),
        command => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .into_diagnostic()?
            .block_on(dispatch_async(global, command)),
    }
}

async fn dispatch_async(global: &Global, command: Command) -> miette::Result<ExitCode> {
    match command {
        Command::Demo(arguments) => demo::run(global, arguments).await,
        Command::Run(arguments) => run::run(global, arguments).await,
        Command::Sync(arguments) => sync::run(global, arguments).await,
        Command::Status(arguments) => status::run(global, arguments).await,
        Command::Show(arguments) => show::run(global, arguments).await,
        Command::Dead(command) => dead::run(global, command).await,
        Command::Pause(arguments) => gate::pause(global, arguments).await,
        Command::Resume(arguments) => gate::resume(global, arguments).await,
        Command::Sandbox(arguments) => sandbox::run(global, arguments).await,
        other => Err(miette::miette!("{other:?} is not wired up on this branch")),
    }
}

/// Writes to stdout. A reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> miette::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(miette::miette!("stdout cannot be written: {error}"))
        }
        _ => Ok(()),
    }
}
