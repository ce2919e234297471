//! `completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{cli::Cli, exit::Exit};

/// Prints the shell's completion script.
pub fn run(shell: Shell) -> miette::Result<Exit> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    super::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Good)
}
