//! `map try|test`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `map`
#[derive(Debug, Clone, Subcommand)]
pub enum MapCommand {
    /// Print what would be sent of a row, or why it would be a dead letter
    Try(MapTryArgs),
    /// Run the examples of the configuration, [[map.test]], and tell what in the mapping does nothing
    Test(MapTestArgs),
}

/// `map try`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Needs no network, no Redis and no secret. Exit code 3: a row would be a dead letter.

Examples:
  alumniq-relay map try row.json                 one row, or an array of rows
  echo '{\"changeId\": 1, \"xid\": \"42\"}' | alumniq-relay map try -")]
pub struct MapTryArgs {
    /// A file with a row as AlumnIQ sends it, or an array of rows; `-`: stdin
    #[arg(value_name = "ROW.json", value_hint = clap::ValueHint::FilePath)]
    pub rows: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `map test`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Needs no network, no Redis and no secret. Exit code 0: every example holds; 1: one does not.
What the mapping holds and does nothing is told as warnings.")]
pub struct MapTestArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
