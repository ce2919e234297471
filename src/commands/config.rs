//! `config print` and `config example`.

use crate::{
    cli::{ConfigCommand, GlobalArgs},
    config,
    exit::Exit,
};

/// Prints; warnings go to stderr, so that the output stays a configuration file.
pub fn run(global: &GlobalArgs, command: ConfigCommand) -> miette::Result<Exit> {
    match command {
        ConfigCommand::Example => super::print(&config::example::example())?,
        ConfigCommand::Print => {
            let loaded = config::load(global.config.as_deref(), config::environment())?;
            super::print(&loaded.print())?;
            super::warn_of(loaded.warnings);
        }
    }
    Ok(Exit::Good)
}
