//! The binary: parses the command line and hands over.

use std::process::ExitCode;

use alumniq_relay::{cli::Cli, commands, telemetry};
use clap::Parser;

fn main() -> ExitCode {
    telemetry::report_panics();
    commands::run(Cli::parse()).into()
}
