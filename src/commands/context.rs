//! What most commands are made of: configuration, log, clients, and in `connection` Redis.

mod connection;

use std::{path::Path, sync::Arc};

use jobs::{call_log::CallLog, destination::Destination};
use queue::audit::Actor;
use transport::Roots;

pub use self::connection::{Redis, Unusable};
use super::misused;
use crate::{
    cli::GlobalArgs,
    config::{self, AnonymousRows, Config, ConfigFinding, Loaded},
    observe::{logs, metrics, traces::Traces},
    pipeline::rows::Rows,
    vendors::{AlumniqClient, ClientSettings, Timeouts, VendorCall, Webhook},
};

/// A loaded configuration with the log switched on.
pub struct Context {
    /// Every value checked.
    pub config: Config,
}

impl Context {
    /// Loads, warns on stderr, and starts the log.
    pub fn load(global: &GlobalArgs) -> miette::Result<Self> {
        Self::loaded(global, summarised).map(Self::warned)
    }

    fn warned((context, warnings): (Self, Vec<ConfigFinding>)) -> Self {
        super::warn_of(warnings);
        context
    }

    /// The same for the service, whose log tells of each change: it is all there is to see of it.
    pub fn load_service(global: &GlobalArgs) -> miette::Result<Self> {
        Self::loaded(global, |level| level).map(Self::warned)
    }

    fn loaded(
        global: &GlobalArgs,
        filter: impl Fn(&str) -> &str,
    ) -> miette::Result<(Self, Vec<ConfigFinding>)> {
        let loaded = config::load(global.config.as_deref(), config::environment())?;
        Self::of(global, loaded.config, filter).map(|context| (context, loaded.warnings))
    }

    /// The same of what has been loaded already, its warnings left to the caller.
    pub fn of_loaded(global: &GlobalArgs, loaded: &Loaded) -> miette::Result<Self> {
        Self::of(global, loaded.config.clone(), summarised)
    }

    fn of(
        global: &GlobalArgs,
        config: Config,
        filter: impl Fn(&str) -> &str,
    ) -> miette::Result<Self> {
        let format = global.log_format.unwrap_or(config.log.format);
        let filter = filter(config.log.level.as_str());
        logs::init(format, global.log_flag(), Some(filter)).map_err(misused)?;
        Ok(Self { config })
    }

    /// Which destinations a change waits for.
    pub fn destinations(&self) -> Vec<Destination> {
        let mut destinations = Destination::ALL.to_vec();
        destinations.retain(|destination| self.config.limits(*destination).is_some());
        destinations
    }

    /// Where the steps of `worker` are told. Their exporter runs at once.
    pub fn traces(&self, worker: &str) -> miette::Result<Traces> {
        Traces::start(
            &self.config.telemetry,
            self.config.namespace.as_str(),
            worker,
        )
        .map_err(misused)
    }

    /// Whether rows without an xid are matched, not dead letters.
    pub fn anonymous_allowed(&self) -> bool {
        self.config.alumniq.anonymous == AnonymousRows::Match
    }

    /// How the consumer of `destination` reads rows; the first of them reports unmapped keys.
    pub fn rows(&self, destination: Destination) -> Rows {
        Rows {
            names: Arc::clone(&self.config.mappings.names),
            timezone: self.config.alumniq.timezone.clone(),
            anonymous_allowed: self.anonymous_allowed(),
            reports_drift: self.destinations().first() == Some(&destination),
        }
    }

    /// AlumnIQ's client.
    pub fn alumniq(&self) -> miette::Result<AlumniqClient> {
        let alumniq = &self.config.alumniq;
        AlumniqClient::new(
            alumniq.url.as_str(),
            alumniq.api_key.clone(),
            settings(alumniq.timeout, alumniq.ca_file.as_deref())?,
        )
        .map_err(misused)
    }

    /// The operators' webhook, where they have one.
    pub fn webhook(&self) -> miette::Result<Option<Webhook>> {
        let receiver = self.config.notify.receiver();
        receiver
            .map(|(url, secret)| Webhook::new(&url, secret.as_ref()).map_err(misused))
            .transpose()
    }
}

/// A command's log tells the outcome and what needs a person, not each change: its summary counts them.
fn summarised(level: &str) -> &str {
    match level == logs::DEFAULT_FILTER {
        true => logs::SUMMARY_FILTER,
        false => level,
    }
}

/// Who acts, for timelines and the audit: the login name.
pub fn operator() -> Actor {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    Actor::at_command(name.unwrap_or_else(|_| "an operator".to_owned()))
}

/// The authorities in `ca_file`, else those that this machine trusts.
fn roots(ca_file: Option<&Path>) -> miette::Result<Roots> {
    match ca_file {
        Some(path) => Roots::of_file(path).map_err(misused),
        None => Roots::of_machine().map_err(|error| super::usage(&error, &error.advice())),
    }
}

pub fn settings(
    timeout: std::time::Duration,
    ca_file: Option<&Path>,
) -> miette::Result<ClientSettings> {
    Ok(ClientSettings {
        roots: ca_file.map(|path| roots(Some(path))).transpose()?,
        timeouts: Timeouts::within(timeout),
        observer: Arc::new(|call: &VendorCall| {
            metrics::vendor_request(call.vendor, call.operation, &call.status, call.duration);
            logs::called(call);
            CallLog::note(call);
        }),
        ..ClientSettings::default()
    })
}
