//! The binary: parses the command line and hands over.

use std::process::ExitCode;

use alumniq_relay::{cli::Cli, commands, telemetry};
use mimalloc::MiMalloc;

/// Documents are many small strings: of the processor's time a change, a quarter was the allocator of libc.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    telemetry::report_panics();
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    commands::run(cli).into()
}
