//! One file a subcommand, each a composition root.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::{
    cli::{Cli, Command},
    config::ConfigErrors,
};

mod completions;
mod config;

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
    match cli.command {
        Command::Config(command) => config::run(&cli.global, command),
        Command::Completions { shell } => completions::run(shell),
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
