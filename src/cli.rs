//! What can be typed: every command, its arguments and the words that explain them.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    error::ErrorKind, parser::ValueSource,
};
use clap_complete::Shell;
use jobs::destination::Vendor;

pub mod chaos;
pub mod dead;
pub mod map;
pub mod pipeline;
pub mod privacy;
pub mod value;
pub mod vendor;

use self::{
    chaos::ChaosArgs,
    dead::DeadCommand,
    map::MapCommand,
    pipeline::{DemoArgs, PreviewArgs, Reconcile, RunArgs, SandboxArgs, SyncArgs},
    privacy::{EncryptionCommand, EraseArgs},
    vendor::{ContactCommand, SupporterCommand},
};
use crate::{config::LogFormat, exit::Exit};

/// Carries work-profile changes from AlumnIQ to the CRM and to Salsa Engage, and tells AlumnIQ only
/// then that they were handled.
#[derive(Debug, Parser)]
#[command(
    name = "alumniq-relay",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = format!("\
Start here:
  alumniq-relay demo --faults                    see it work, with simulated vendors
  alumniq-relay config example > relay.toml      write a configuration, then fill it in
  alumniq-relay check --connect                  test it against the vendors; changes nothing
  alumniq-relay sync --wait                      fetch, apply and acknowledge once, e.g. from cron
  alumniq-relay run                              or do so all the time

{}", Exit::sentence())
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct GlobalArgs {
    /// The configuration file [default: relay.toml]
    #[arg(
        long,
        short,
        global = true,
        env = "ALUMNIQ_RELAY_CONFIG",
        value_name = "FILE",
        value_hint = clap::ValueHint::FilePath,
        help_heading = "Global options"
    )]
    pub config: Option<PathBuf>,
    /// Ask this process of the fleet (its console's address) instead of Redis: status, show, dead, pause, resume,
    /// reconcile, erase. The others refuse it, and do not look at the variable
    #[arg(
        long,
        global = true,
        env = "ALUMNIQ_RELAY_SERVER",
        value_name = "URL",
        value_hint = clap::ValueHint::Url,
        help_heading = "Global options"
    )]
    pub server: Option<String>,
    /// The file with the token for --server [default: the variable ALUMNIQ_RELAY_TOKEN]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        value_hint = clap::ValueHint::FilePath,
        help_heading = "Global options"
    )]
    pub token_file: Option<PathBuf>,
    /// Log more: -v for debug, -vv for trace
    #[arg(long, short, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Log errors only, and show no progress
    #[arg(
        long,
        short,
        global = true,
        conflicts_with = "verbose",
        help_heading = "Global options"
    )]
    pub quiet: bool,
    /// The form of the log on stderr
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        help_heading = "Global options"
    )]
    pub log_format: Option<LogFormat>,
}

impl Cli {
    /// Reads a command line and the variables that stand for its flags.
    ///
    /// # Errors
    /// Wrong usage, and what is asked for by `--help` and `--version`.
    pub fn read<Word: Into<OsString> + Clone>(
        line: impl IntoIterator<Item = Word>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(line)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        let typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let mut refuse = |why: String| Err(command.error(ErrorKind::ArgumentConflict, why));
        let is_blank = |url: &String| url.trim().is_empty();
        if !cli.command.asks_a_server() {
            for (id, flag) in [("server", "--server"), ("token_file", "--token-file")] {
                if typed(id) {
                    return refuse(format!(
                        "{flag} is not for this command: it works here, with the configuration's own Redis and \
                         vendors. Leave {flag} out; status, show, dead, pause, resume, reconcile and erase take it"
                    ));
                }
            }
            cli.global.server = None;
        } else if typed("server") && cli.global.server.as_ref().is_some_and(is_blank) {
            // Something that was meant to stand there does not: that must not mean the Redis that is near.
            return refuse(
                "--server is empty: give the address, or leave it out to ask Redis".to_owned(),
            );
        }
        cli.global.server = cli.global.server.filter(|url| !is_blank(url));
        Ok(cli)
    }
}

impl Command {
    /// Whether it can be sent to a process of the fleet by `--server`.
    pub fn asks_a_server(&self) -> bool {
        matches!(
            self,
            Self::Status(_)
                | Self::Show(_)
                | Self::Dead(_)
                | Self::Pause(_)
                | Self::Resume(_)
                | Self::Reconcile(_)
                | Self::Erase(_)
        )
    }
}

impl GlobalArgs {
    /// The log filter that the flags ask for; `None`: what the configuration says.
    pub fn log_flag(&self) -> Option<&'static str> {
        match (self.quiet, self.verbose) {
            (true, _) => Some("error"),
            (false, 0) => None,
            (false, 1) => Some("info,alumniq_relay=debug"),
            (false, _) => Some("trace"),
        }
    }
}

impl ValueEnum for LogFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Pretty, Self::Json]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.as_str()))
    }
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole pipeline at work: simulated vendors, own Redis, every promise checked
    Demo(DemoArgs),
    /// Kill processes, Redis and vendors under load, and check every promise
    Chaos(ChaosArgs),
    /// Run the service until it is told to stop
    Run(RunArgs),
    /// Fetch once, now
    Sync(SyncArgs),
    /// Show what the changes that AlumnIQ lists would do, field by field; writes nothing
    Preview(PreviewArgs),
    /// Hold the books against AlumnIQ's feed; with --fix also mend what is safe to mend
    Reconcile(Reconcile),
    /// Show counts, pauses, workers and whether the books balance
    Status(StatusArgs),
    /// Show one change's timeline: each attempt, its cause and the vendor's answer
    Show(ShowArgs),
    /// List, show, replay or discard dead letters
    #[command(subcommand)]
    Dead(DeadCommand),
    /// Hold a destination's changes back, for the whole fleet, until `resume`
    Pause(GateArgs),
    /// Let a destination's changes go on
    Resume(GateArgs),
    /// Remove one person's data from Redis
    Erase(EraseArgs),
    /// Make the destinations that this configuration enables those of the namespace
    #[command(after_help = "\
Every process that writes to the queue must enable the destinations that the namespace's changes go to; one that differs
is refused. To change them:
1. Stop the role producer, and wait until `status` shows that nothing waits for a destination that is to go.
2. Stop the other processes, and change crm.enabled or salsa.enabled for all of them.
3. alumniq-relay adopt-destinations
4. Start the processes.
Exit code 2: changes still wait for a destination that the configuration leaves out; nothing was changed.")]
    AdoptDestinations,
    /// Make a key for payloads in Redis, or seal them all under the current one
    #[command(subcommand)]
    Encryption(EncryptionCommand),
    /// Check the configuration; with --connect also the vendors and Redis
    Check(CheckArgs),
    /// Show the configuration that applies, or an example of one
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Try the mapping: what would be sent of a row, and whether the examples hold
    #[command(subcommand)]
    Map(MapCommand),
    /// Try the webhook that is told when the fleet's state changes
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Run the simulated vendors alone
    Sandbox(SandboxArgs),
    /// Search or delete Salsa supporters by hand
    #[command(subcommand)]
    Supporter(SupporterCommand),
    /// Update a CRM contact by hand
    #[command(subcommand)]
    Contact(ContactCommand),
    /// Tell what an alert, a dead letter's class, a pause or an exit code means, and what to do
    Runbook(RunbookArgs),
    /// Print the JSON Schema of what a command prints with --json
    Schema(SchemaArgs),
    /// Print the manual, or write its pages, one a command
    Man(ManualArgs),
    /// Print the OpenAPI document of the JSON API
    Openapi,
    /// Print a completion script for a shell
    #[command(after_help = "\
Example:
  alumniq-relay completions bash > /etc/bash_completion.d/alumniq-relay")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// `status`
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Show it all the time: a screen on a terminal (q leaves), elsewhere every two seconds anew
    #[arg(long, short)]
    pub watch: bool,
}

/// `show`
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The changeId
    #[arg(value_name = "CHANGE_ID")]
    pub change_id: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `pause` and `resume`
#[derive(Debug, Clone, Args)]
pub struct GateArgs {
    /// Which one; alumniq: what it is told (fetches go on)
    #[arg(value_parser = value::vendors())]
    pub destination: Vendor,
}

/// `check`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A line for each finding: ok, warn or FAIL, and behind -> what to do. Exit code 0: nothing failed; 1: something
that was called did; 2: the configuration cannot be used.

Examples:
  alumniq-relay check                            the file alone
  alumniq-relay check --connect                  also the keys, the vendors, today's rows and Redis")]
pub struct CheckArgs {
    /// Also test all three vendors, Redis and its durability settings; changes nothing anywhere
    #[arg(long)]
    pub connect: bool,
}

/// `runbook`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Needs no configuration, no Redis and no network. Every process serves the same at /runbook.

Examples:
  alumniq-relay runbook                          every topic
  alumniq-relay runbook AlumniqRelayChangesStuck
  alumniq-relay runbook stale
  alumniq-relay runbook 3")]
pub struct RunbookArgs {
    /// An alert, a dead letter's class, a reason of a pause, an exit code or another heading [default: list them]
    #[arg(value_name = "TOPIC")]
    pub topic: Vec<String>,
}

/// `schema`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  alumniq-relay schema                           every name
  alumniq-relay schema dead list")]
pub struct SchemaArgs {
    /// The command's words [default: list them]
    #[arg(value_name = "NAME")]
    pub name: Vec<String>,
}

/// `man`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  alumniq-relay man | man -l -
  alumniq-relay man --dir /usr/local/share/man/man1")]
pub struct ManualArgs {
    /// Write every page into this folder, which is made where it is not there [default: print the first one]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

/// `notify`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum NotifyCommand {
    /// Send one test message to notify.webhook_url and say what became of it
    #[command(after_help = "\
Exit code 0: the receiver took it; 1: it did not; 2: notify.webhook_url is not set.")]
    Test,
}

/// `config`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Print the configuration that applies and where each value came from; secrets are redacted
    Print,
    /// Print a complete, commented configuration file
    #[command(after_help = "\
Example:
  alumniq-relay config example > relay.toml")]
    Example,
}

#[cfg(test)]
mod tests;
