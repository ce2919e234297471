//! The binary: parses the command line and hands over.

use std::process::ExitCode;

use alumniq_relay::{cli::Cli, commands, telemetry};

/// A fifth of the processor's time went into the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    telemetry::report_panics();
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    commands::run(cli).into()
}
