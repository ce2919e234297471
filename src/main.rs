//! The binary: parses the command line and hands over.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use alumniq_relay::{cli::Cli, commands, exit::Exit, observe::logs};

/// A fifth of the processor's time went into the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let _flush = logs::FlushAtEnd;
    logs::report_panics();
    match Cli::read(std::env::args_os()) {
        Ok(cli) => commands::run(cli),
        Err(told) => tell(&told),
    }
    .into()
}

/// What clap says in place of a command: help, the version, or what is wrong with the line. A reader that has seen
/// enough (`| head`) is no error.
fn tell(told: &clap::Error) -> Exit {
    let printed = told.print().and_then(|()| io::stdout().flush());
    match printed {
        _ if told.use_stderr() => Exit::Usage,
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            logs::tell(format_args!("stdout cannot be written: {error}"));
            Exit::Failed
        }
        _ => Exit::Good,
    }
}
