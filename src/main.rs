//! The binary: parses the command line and hands over.

use std::process::ExitCode;

use alumniq_relay::{cli::Cli, commands};
use clap::Parser;

fn main() -> ExitCode {
    commands::run(Cli::parse())
}
