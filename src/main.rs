//! The binary: parses the command line and hands over.

use std::process::ExitCode;

use alumniq_relay::{cli::Cli, commands, telemetry};

fn main() -> ExitCode {
    telemetry::report_panics();
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    commands::run(cli).into()
}
