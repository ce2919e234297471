//! `erase` and `encryption`: people's data.

use clap::{Args, Subcommand};

use super::value::{self, Reason};

/// `erase`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Removes the person's rows, dead letters, sent documents, edits and timelines from Redis, ends what is under way, takes
reasons and details about them out of the audit, and has Redis rewrite its files. What was still open counts as
discarded, and AlumnIQ is told of it. Markers without personal data keep a later fetch from bringing it back.
Erase the person in AlumnIQ, the CRM and Salsa, too: what AlumnIQ lists anew is carried over anew.

Exit code 3: it is done, but Redis' files hold the data still, or changes of the person came in meanwhile.

Examples:
  alumniq-relay erase --xid 00100850
  alumniq-relay erase --xid 00100850 --reason \"request 2026-17\" --yes --json")]
pub struct EraseArgs {
    /// The constituent
    #[arg(long, value_name = "XID", value_parser = value::non_blank)]
    pub xid: String,
    /// Why; it stays in the audit, so name nobody in it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<Reason>,
    /// Do not tell AlumnIQ of what was still open: it goes on listing it
    #[arg(long)]
    pub keep_unacknowledged: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `encryption`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum EncryptionCommand {
    /// Print a new key for encryption.key
    #[command(after_help = "\
Needs no configuration. Keep the key where the other secrets are, and a copy where Redis' backups are not.

Example:
  alumniq-relay encryption key > /run/secrets/encryption_key")]
    Key,
    /// Seal every payload in Redis under encryption.key, so that the old keys can be removed
    #[command(after_help = "\
1. Give every process the new key as encryption.key, the one before in encryption.old_keys; restart them.
2. alumniq-relay encryption rotate
3. Remove encryption.old_keys; restart.

Works in small steps while the fleet works, and can be broken off and begun anew. Without encryption.key, but with the
keys in encryption.old_keys, it opens everything again. Exit code 3: something is left under another key.")]
    Rotate {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
