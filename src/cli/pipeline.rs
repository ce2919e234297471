//! `demo`, `run`, `sync`, `preview`, `reconcile` and `sandbox`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{ArgGroup, Args, ValueEnum};
use jiff::{civil::Date, tz::TimeZone};

use super::value;
use crate::pipeline::roles::Role;

/// `demo`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Needs the program redis-server and nothing else: no configuration, no network.

Examples:
  alumniq-relay demo
  alumniq-relay demo --changes 20000 --faults --seed 7
  alumniq-relay demo --faults --stay             then look around in the console")]
pub struct DemoArgs {
    /// How many changes the simulated AlumnIQ offers
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = at_least_one())]
    pub changes: usize,
    /// How many people they belong to [default: a third of the changes]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub people: Option<usize>,
    /// Let the vendors fail: latency, errors, throttling, lost answers, an outage
    #[arg(long)]
    pub faults: bool,
    /// Keep everything running after the summary, the console open, until Ctrl-C
    #[arg(long)]
    pub stay: bool,
    /// The same seed makes the same people, changes and faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// `run`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Every process serves /metrics, /healthz and /readyz at console.listen. SIGTERM and Ctrl-C finish the
calls that have begun, hand the rest back and consume no attempt.

Examples:
  alumniq-relay run                              everything in one process
  alumniq-relay run --roles crm,salsa            one of several consumers on a shared Redis")]
pub struct RunArgs {
    /// What this process does
    #[arg(
        long,
        value_enum,
        value_name = "ROLE,…",
        value_delimiter = ',',
        default_values_t = Role::value_variants().to_vec()
    )]
    pub roles: Vec<Role>,
}

/// Which of AlumnIQ's changes; its filters exclude each other.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub struct Only {
    /// Only the changes of this campus-local day
    #[arg(long, value_name = "DATE", value_parser = value::day)]
    pub on: Option<Date>,
    /// The changes since this campus-local day
    #[arg(long, value_name = "DATE", value_parser = value::day)]
    pub since: Option<Date>,
    /// Only the changes of this person
    #[arg(long, value_name = "XID", value_parser = value::non_blank)]
    pub xid: Option<String>,
}

/// `sync`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Without --on, --since or --xid it looks back alumniq.lookback_days, as `run` does.
With --wait it does everything in this process, so that cron needs nothing else; a service may run
beside it. Exit code 0: all acknowledged; 3: some changes are dead letters.

Examples:
  alumniq-relay sync --wait
  alumniq-relay sync --since 2026-11-01 --wait --json
  alumniq-relay sync --xid 0012345
  alumniq-relay sync --wait --metrics-file /var/lib/prometheus/node-exporter/alumniq.prom")]
pub struct SyncArgs {
    /// Which changes.
    #[command(flatten)]
    pub only: Only,
    /// Run every role here until all that was fetched is acknowledged or dead
    #[arg(long)]
    pub wait: bool,
    /// At the end, also a bad one, write the metrics to this file for node_exporter's textfile collector
    #[arg(long, value_name = "FILE.prom", value_parser = value::metrics_file)]
    pub metrics_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `preview`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Prints personal data, and writes nothing anywhere: AlumnIQ marks nothing, no destination is written to, and of the
queue only what it knows is read. Salsa is asked what it has now; the CRM's documents have no read, so for the CRM
the whole document is shown. Several changes of one person are shown one after the other: the second one's old value
is the first one's new one. Without --on, --since or --xid it shows what the next poll would fetch.
People are printed as they are read, so that memory does not grow with --limit: a preview that fails on its way (exit
code 1) has printed the people before, and its JSON has no end.
Exit code 0: every change could be applied; 3: some would become dead letters.

JSON: {\"people\": [{\"xid\", \"changes\": [{\"change_id\", \"changed_on\", \"queue\", \"destinations\": {\"crm\": {\"would\", …},
…}}]}], \"fetched\", \"previewed\", \"more\", \"would_die\", \"queue_asked\", \"crm_unread\", \"unread\", \"unmapped\": {key: rows}}.
\"would\" is send (\"fields\": [{\"field\", \"new\"}]), update (\"fields\": [{\"field\", \"old\", \"new\"}], \"unchanged\"), add
(\"fields\"), die (\"class\", \"cause\", \"advice\"), nothing (\"because\") or unknown (\"cause\"); \"queue\" is new, in flight,
dead, to acknowledge, acknowledged, discarded, or null where no Redis runs.

Examples:
  alumniq-relay preview
  alumniq-relay preview --on 2026-11-21 --limit 1000
  alumniq-relay preview --xid 0012345 --json")]
pub struct PreviewArgs {
    /// Which changes.
    #[command(flatten)]
    pub only: Only,
    /// How many changes at most, the oldest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `reconcile`
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("range").args(["on", "since"]),
    after_help = "\
Without --on and --since it looks back as far as the next poll. A fleet may run beside it: what differs is looked at
again before it is told. Changes that were made since the last poll are counted, and are no difference.
With --fix what is unknown here is fetched as `sync` does, and AlumnIQ is told again of what it should know; what
somebody marked in AlumnIQ is only told. The queue's own data are checked too: what contradicts is reported, and with
--fix repaired where that is safe. Exit code 0: they agree; 3: they differ. After --fix 0: nothing is left that
needs a person.

JSON: {\"books\", \"range\": {\"from\", \"to\"}, \"feed\": {\"rows\"}, \"unknown_here\": {\"count\", \"change_ids\"},
\"acknowledged_but_listed\": {…}, \"applied_not_acknowledged\": {\"count\", \"change_ids\", \"waiting\", \"ack_rejected\",
\"discarded_untold\", \"told_again\", \"pause\", \"acknowledger_lives\"}, \"open_but_not_listed\": {…}, \"not_yet_polled\",
\"defects\": {\"found\": {KIND: COUNT}, \"left\", \"recounted\"}, \"fixed\": {\"enqueued\", \"acknowledged_again\", \"told_again\"}, \"agrees\"}; of each kind 100 changes are named, all are
counted.

Examples:
  alumniq-relay reconcile
  alumniq-relay reconcile --since 2026-11-01 --until 2026-11-15
  alumniq-relay reconcile --fix --json"
)]
pub struct Reconcile {
    /// Only this campus-local day
    #[arg(long, value_name = "DATE", value_parser = value::day)]
    pub on: Option<Date>,
    /// From this campus-local day
    #[arg(long, value_name = "DATE", value_parser = value::day)]
    pub since: Option<Date>,
    /// To this one, included [default: today]
    #[arg(long, value_name = "DATE", value_parser = value::day, requires = "since")]
    pub until: Option<Date>,
    /// Mend what is safe to mend
    #[arg(long)]
    pub fix: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `sandbox`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Prints the configuration to point the relay at it. Its state can be read and changed over HTTP:
  GET  /_sandbox/report     what each vendor saw, and whether the promises held
  PUT  /_sandbox/faults     which faults to make from now on
  POST /_sandbox/repair     no faults, and nobody missing any more
  POST /_sandbox/changes    more changes
  POST /_sandbox/marked     somebody marks changes in AlumnIQ by hand
  GET  /_sandbox/webhook    the notifications that arrived there")]
pub struct SandboxArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9470")]
    pub listen: SocketAddr,
    /// How many changes AlumnIQ offers
    #[arg(long, value_name = "N", default_value_t = 1_200, value_parser = at_least_one())]
    pub changes: usize,
    /// How many people they belong to [default: a third of the changes]
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub people: Option<usize>,
    /// Over how many days up to today they spread
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=366))]
    pub days: u32,
    /// The campus's IANA time zone
    #[arg(long, value_name = "ZONE", default_value = "America/New_York", value_parser = value::timezone)]
    pub timezone: TimeZone,
    /// The same seed makes the same people, changes and faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Let the vendors fail: latency, errors, throttling, lost answers, an outage
    #[arg(long)]
    pub faults: bool,
    /// What is wrong with the data.
    #[command(flatten)]
    pub dirt: Dirt,
}

/// What is wrong with the simulated data, until `POST /_sandbox/repair`.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Wrong data, until repaired")]
pub struct Dirt {
    /// Changes without xid
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub anonymous: usize,
    /// People whom the CRM does not know
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub missing_in_crm: usize,
    /// People whom Salsa does not know
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub missing_in_salsa: usize,
    /// Changes with a field that Salsa refuses
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub invalid_fields: usize,
    /// Changes whose phone is no phone number
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub invalid_phones: usize,
    /// Changes whose row cannot be decoded
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub undecodable: usize,
}

/// A count that makes sense; ten million keeps the simulated people in memory.
pub(super) fn at_least_one() -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser;
    clap::value_parser!(u64)
        .range(1..=10_000_000)
        .try_map(usize::try_from)
}
