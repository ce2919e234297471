//! `supporter search|delete` and `contact update`: the vendors' remaining operations, by hand.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::value::{self, Moment};

/// `supporter`
#[derive(Debug, Clone, Subcommand)]
pub enum SupporterCommand {
    /// Search supporters by id, email, external id or time of modification
    Search(SupporterSearchArgs),
    /// Delete supporters; this cannot be undone
    Delete(SupporterDeleteArgs),
}

/// `supporter search`
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("by").required(true).args(["id", "email", "external_id", "modified_since"]),
    after_help = "\
Prints personal data.

Examples:
  alumniq-relay supporter search --external-id 0012345
  alumniq-relay supporter search --modified-since 2d --json"
)]
pub struct SupporterSearchArgs {
    /// Salsa's supporterId; may be repeated
    #[arg(long, value_name = "ID", value_parser = value::non_blank)]
    pub id: Vec<String>,
    /// An email address; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = value::non_blank)]
    pub email: Vec<String>,
    /// externalSystemId, i.e. the xid; may be repeated
    #[arg(long, value_name = "XID", value_parser = value::non_blank)]
    pub external_id: Vec<String>,
    /// Modified since: a day, an instant or how long ago (2026-11-21, 3d)
    #[arg(long, value_name = "TIME")]
    pub modified_since: Option<Moment>,
    /// And before: as above
    #[arg(long, value_name = "TIME", requires = "modified_since")]
    pub modified_until: Option<Moment>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `supporter delete`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Tells of each id what became of it. Exit code 3: not all of them were deleted.

Example:
  alumniq-relay supporter delete 75dca357-6ec1-4fb8-a21e-048e944f6687")]
pub struct SupporterDeleteArgs {
    /// Salsa's supporterIds
    #[arg(value_name = "ID", required = true, value_parser = value::non_blank)]
    pub ids: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `contact`
#[derive(Debug, Clone, Subcommand)]
pub enum ContactCommand {
    /// Send one ContactUpsertDto to the CRM
    Update(ContactUpdateArgs),
}

/// `contact update`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The document is checked against the CRM's documented limits first. Prints the CrmNumber. Exit code 3: nobody
matches; 2: the document breaks a rule and was not sent.

Example:
  echo '{\"StudentInstitutionId\": \"0012345\", \"PhoneWork\": \"+12065550100\"}' | alumniq-relay contact update -")]
pub struct ContactUpdateArgs {
    /// A file with the JSON document, or - for standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Add the person if the CRM does not know them (upsertcontact)
    #[arg(long)]
    pub upsert: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
