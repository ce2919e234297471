//! `dead list|groups|show|replay|discard`.

use clap::{ArgGroup, Args, Subcommand};
use jobs::destination::Vendor;
use queue::letters::LetterRef;

use super::value::{self, Rate, Reason};
use crate::operations::dead_letters::DeadLetterFilter;

/// `dead`
#[derive(Debug, Clone, Subcommand)]
pub enum DeadCommand {
    /// List dead letters, oldest first
    List(DeadListArgs),
    /// Count dead letters by cause: what is stuck and why
    Groups(DeadGroupsArgs),
    /// Show one dead letter: cause, advice and every attempt
    Show(DeadShowArgs),
    /// Put dead letters back to work
    Replay(ReplayArgs),
    /// Give dead letters up, with a reason, and tell AlumnIQ that they were handled
    Discard(DiscardArgs),
}

/// Which dead letters an action is for: at least one of these must be given.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("selection")
    .required(true)
    .multiple(true)
    .args(["ids", "all", "destination", "class", "cause", "xid", "since", "until"]))]
pub struct SelectionArgs {
    /// ChangeIds
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// All that the other options leave
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// Narrowed down.
    #[command(flatten)]
    pub filter: DeadLetterFilter,
    /// Only count what would be done
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `dead list`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  alumniq-relay dead list
  alumniq-relay dead list --class validation --destination salsa --since 7d --json")]
pub struct DeadListArgs {
    /// Which ones.
    #[command(flatten)]
    pub filter: DeadLetterFilter,
    /// The newest first
    #[arg(long)]
    pub newest: bool,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Go on where the last list ended (its `next`)
    #[arg(long)]
    pub cursor: Option<LetterRef>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `dead groups`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Causes are one group where they differ in numbers only. The groups' names are those that --cause takes.

Examples:
  alumniq-relay dead groups
  alumniq-relay dead groups --destination salsa --since 7d --json")]
pub struct DeadGroupsArgs {
    /// Which ones.
    #[command(flatten)]
    pub filter: DeadLetterFilter,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `dead show`
#[derive(Debug, Clone, Args)]
pub struct DeadShowArgs {
    /// ChangeIds
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// Only this destination's
    #[arg(long, short, value_parser = value::vendors())]
    pub destination: Option<Vendor>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `dead replay`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A change that is older than one already applied to the same person dies again, of class `stale`,
instead of overwriting it. --apply-stale applies it all the same.

Without IDs or with --rate it is a bulk action: Ctrl-C cancels it; if this command dies, a process with the role
console carries it on.

Examples:
  alumniq-relay dead replay 1234 1235
  alumniq-relay dead replay --class unmatched --destination crm --dry-run
  alumniq-relay dead replay --all --rate 10/s")]
pub struct ReplayArgs {
    /// Which ones.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Put back no more than this, e.g. 10/s or 300/m
    #[arg(long, value_name = "N/s")]
    pub rate: Option<Rate>,
    /// Apply a change even if a newer one of the same person has been applied
    #[arg(long)]
    pub apply_stale: bool,
}

/// `dead discard`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
A discarded change is never applied to the destination that it is discarded for. AlumnIQ is told that
it was handled once its other destinations have accepted it too.

Examples:
  alumniq-relay dead discard 1234 --reason \"left the school's records\"
  alumniq-relay dead discard --class anonymous --reason \"nobody to match\" --dry-run")]
pub struct DiscardArgs {
    /// Which ones.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Why; it stays in the change's history
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    pub reason: Option<Reason>,
    /// Do not tell AlumnIQ: it goes on offering the change
    #[arg(long)]
    pub keep_unacknowledged: bool,
}

impl ReplayArgs {
    /// Whether it is durable work that others carry on: a filter may match any number, and a rate takes its time.
    pub fn is_bulk(&self) -> bool {
        !self.selection.dry_run && (self.selection.ids.is_empty() || self.rate.is_some())
    }
}

impl DiscardArgs {
    /// As for a replay.
    pub fn is_bulk(&self) -> bool {
        !self.selection.dry_run && self.selection.ids.is_empty()
    }
}
