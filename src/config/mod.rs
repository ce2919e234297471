//! The configuration: `relay.toml`, overridden key by key by `ALUMNIQ_RELAY__SECTION__KEY`.
//!
//! # Layout
//!
//! - one file a concern, each with the struct of its section: the field, its key, its default and its
//!   documentation are one declaration (`section`) of a [`key`]
//! - [`mapping`]: the compiled templates, wrong ones reported with their line; [`mapping_examples`]: what they
//!   are expected to do; `mapping_lint`: what in them does nothing
//! - `source` flattens file and variables, `reader` reads keys and notes every problem, `setting` holds
//!   the types, `secret` the secrets, `check` the rules between keys,
//!   `connection` the files and variables of TLS and proxies
//! - [`finding`]: problems with file, line and caret; `mask` hides secrets around the caret
//! - [`example`] and [`mod@print`]: `config example` and `config print`

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

pub mod acknowledge;
pub mod alumniq;
mod check;
mod connection;
pub mod console;
pub mod crm;
pub mod encryption;
pub mod example;
pub mod finding;
pub mod history;
pub mod key;
pub mod limits;
pub mod log;
pub mod mapping;
pub mod mapping_examples;
mod mapping_lint;
mod mask;
pub mod namespace;
mod nearest;
mod network;
pub mod notify;
pub mod print;
mod read;
mod reader;
pub mod redis;
pub mod salsa;
pub mod schedule;
mod secret;
mod section;
mod setting;
mod source;
pub mod telemetry;
#[cfg(test)]
mod tests;
pub mod url;
pub mod webhook;
pub mod worker;

pub use self::{
    acknowledge::AcknowledgeConfig,
    alumniq::{AcknowledgeMode, AlumniqConfig, AnonymousRows},
    console::{ConsoleConfig, SecureCookie},
    crm::{CrmAuth, CrmAuthKind, CrmConfig, CrmMatching, CrmOperation, CrmOptions},
    encryption::{EncryptionConfig, EncryptionKeys},
    finding::{ConfigErrors, ConfigFinding, SHOWN},
    history::HistoryConfig,
    limits::DestinationLimits,
    log::{LogConfig, LogFormat},
    mapping::Mappings,
    mapping_examples::{ExampleRun, MapConfig},
    namespace::Namespace,
    network::Network,
    notify::{NotifyConfig, NotifyFormat},
    redis::{RedisConfig, RedisUrl},
    salsa::SalsaConfig,
    schedule::Schedule,
    telemetry::TelemetryConfig,
    url::BaseUrl,
    webhook::{SigningSecret, WebhookUrl},
    worker::WorkerConfig,
};
use self::{key::ConfigSection, namespace::TopConfig, reader::Reader, source::Source};
use crate::visible::without_byte_order_mark;

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "relay.toml";

/// Every section, in the order in which it is shown.
pub const SECTIONS: &[ConfigSection] = &[
    TopConfig::SECTION,
    RedisConfig::SECTION,
    AlumniqConfig::SECTION,
    CrmConfig::SECTION,
    CrmMatching::SECTION,
    SalsaConfig::SECTION,
    MapConfig::SECTION,
    AcknowledgeConfig::SECTION,
    HistoryConfig::SECTION,
    EncryptionConfig::SECTION,
    ConsoleConfig::SECTION,
    NotifyConfig::SECTION,
    LogConfig::SECTION,
    TelemetryConfig::SECTION,
    WorkerConfig::SECTION,
];

/// The whole configuration, every value checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The prefix of every Redis key.
    pub namespace: Namespace,
    /// Where the queue lives.
    pub redis: RedisConfig,
    /// Where changes come from.
    pub alumniq: AlumniqConfig,
    /// The CRM; `None` when it is switched off.
    pub crm: Option<CrmConfig>,
    /// Salsa; `None` when it is switched off.
    pub salsa: Option<SalsaConfig>,
    /// What the rows' fields are called and what becomes of them.
    pub mappings: Mappings,
    /// What the mapping is expected to do.
    pub map: MapConfig,
    /// How changeIds are PUT back.
    pub acknowledge: AcknowledgeConfig,
    /// What is kept of changes that are through.
    pub history: HistoryConfig,
    /// Under which keys payloads are sealed.
    pub encryption: EncryptionConfig,
    /// The HTTP server.
    pub console: ConsoleConfig,
    /// Whom the fleet tells when its state changes.
    pub notify: NotifyConfig,
    /// The log.
    pub log: LogConfig,
    /// Where traces go.
    pub telemetry: TelemetryConfig,
    /// Leases and draining.
    pub worker: WorkerConfig,
}

/// A configuration that can be used, and what a person should know about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Allowed, but risky.
    pub warnings: Vec<ConfigFinding>,
    /// What the mapping's findings point at; without the other entries, which hold secrets.
    mapping: Source,
    effective: Vec<reader::Effective>,
}

/// The process's environment, as [`load`] takes it.
pub fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

/// Loads the file at `path`, or `relay.toml` in the working directory, and lays `environment` over it.
/// Without a path and without that file, the environment alone may hold every required key.
///
/// # Errors
///
/// Every problem at once; a file that cannot be read.
pub fn load(
    path: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigErrors> {
    load_with(path, environment, true)
}

/// The same where no secret need be set, to try the mapping: where that is reviewed and tested, there are none.
///
/// # Errors
///
/// As [`load`].
pub fn load_without_secrets(
    path: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigErrors> {
    load_with(path, environment, false)
}

fn load_with(
    path: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    needs_secrets: bool,
) -> Result<Loaded, ConfigErrors> {
    let variables = variables(environment);
    let file = path.unwrap_or(Path::new(DEFAULT_FILE));
    let name = file.display().to_string();
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let by_environment = || {
        variables
            .keys()
            .any(|name| name.starts_with(key::VARIABLE_PREFIX))
    };
    match std::fs::read_to_string(file) {
        Ok(text) => read(
            &name,
            without_byte_order_mark(&text),
            variables,
            folder,
            is_exposed(file),
            needs_secrets,
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_none() => {
            if by_environment() {
                let name = format!("the environment; there is no {DEFAULT_FILE} in this folder");
                return read(&name, "", variables, folder, false, needs_secrets);
            }
            Err(unreadable(
                &name,
                format!("there is no {DEFAULT_FILE} in this folder"),
                "create one with `alumniq-relay config example > relay.toml`, or name yours with \
                 --config or ALUMNIQ_RELAY_CONFIG",
            ))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(unreadable(
            &name,
            format!("there is no file {name}"),
            "check --config and ALUMNIQ_RELAY_CONFIG, or create the file with `alumniq-relay config \
             example`",
        )),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(unreadable(
            &name,
            format!("{name} is not UTF-8 text"),
            "save it as UTF-8",
        )),
        Err(error) => Err(unreadable(
            &name,
            format!("{name} cannot be read: {error}"),
            "check the file's owner and mode",
        )),
    }
}

/// Loads a configuration from text; `name` stands for the file in messages, and relative paths start at
/// the working directory.
///
/// # Errors
///
/// Every problem at once.
pub fn parse(
    name: &str,
    text: &str,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigErrors> {
    read(
        name,
        text,
        variables(environment),
        PathBuf::from("."),
        false,
        true,
    )
}

fn unreadable(name: &str, message: String, help: &str) -> ConfigErrors {
    ConfigErrors {
        name: name.to_owned(),
        findings: vec![ConfigFinding::error(message).help(help)],
    }
}

fn variables(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> BTreeMap<String, String> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    environment
        .into_iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

#[cfg(unix)]
fn is_exposed(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &Path) -> bool {
    false
}

fn read(
    name: &str,
    text: &str,
    variables: BTreeMap<String, String>,
    folder: PathBuf,
    exposed: bool,
    needs_secrets: bool,
) -> Result<Loaded, ConfigErrors> {
    let source = Source::new(name, text, &variables);
    let mut reader = Reader::new(source, variables, folder, exposed);
    reader.needs_secrets = needs_secrets;
    let config = if reader.source.is_broken {
        None
    } else {
        config(&mut reader)
    };
    match config {
        Some(config) if reader.problems.is_empty() => Ok(Loaded {
            config,
            warnings: reader.warnings,
            mapping: reader.source.of_the_mapping(),
            effective: reader.effective,
        }),
        _ => {
            let mut findings = reader.problems;
            findings.sort_by_key(|finding| {
                finding
                    .place
                    .as_ref()
                    .map_or(usize::MAX, |place| place.span.start)
            });
            Err(ConfigErrors {
                name: name.to_owned(),
                findings,
            })
        }
    }
}

/// Reads every section before the first `?`, so that all problems are noted.
fn config(reader: &mut Reader) -> Option<Config> {
    let top = TopConfig::read(reader);
    let mut redis = RedisConfig::read(reader);
    let mut alumniq = AlumniqConfig::read(reader);
    let crm_enabled = reader.is_enabled(CrmConfig::SECTION);
    let mut crm = CrmConfig::read(reader).filter(|_| crm_enabled);
    let salsa_enabled = reader.is_enabled(SalsaConfig::SECTION);
    let mut salsa = SalsaConfig::read(reader).filter(|_| salsa_enabled);
    reader.demanding = true;
    let map = MapConfig::read(reader);
    let acknowledge = AcknowledgeConfig::read(reader);
    let history = HistoryConfig::read(reader);
    let encryption = EncryptionConfig::read(reader);
    let console = ConsoleConfig::read(reader);
    let notify = NotifyConfig::read(reader);
    let log = LogConfig::read(reader);
    let telemetry = TelemetryConfig::read(reader);
    let worker = WorkerConfig::read(reader);

    redis
        .iter_mut()
        .for_each(|redis| check::redis(reader, redis));
    alumniq
        .iter_mut()
        .for_each(|alumniq| check::alumniq(reader, alumniq));
    crm.iter_mut().for_each(|crm| check::crm(reader, crm));
    salsa
        .iter_mut()
        .for_each(|salsa| check::salsa(reader, salsa));
    encryption
        .iter()
        .for_each(|encryption| encryption::check(reader, encryption));
    console
        .iter()
        .for_each(|console| console::check(reader, console));
    notify
        .iter()
        .for_each(|notify| notify::check(reader, notify));
    telemetry
        .iter()
        .for_each(|telemetry| check::telemetry(reader, telemetry));
    connection::variables(reader);
    check::destinations(reader, crm_enabled, salsa_enabled);
    let mappings = Mappings::compile(reader, alumniq.as_ref(), crm.as_ref(), salsa.as_ref());

    Some(Config {
        namespace: top?.namespace,
        redis: redis?,
        alumniq: alumniq?,
        crm,
        salsa,
        mappings: mappings?,
        map: map?,
        acknowledge: acknowledge?,
        history: history?,
        encryption: encryption?,
        console: console?,
        notify: notify?,
        log: log?,
        telemetry: telemetry?,
        worker: worker?,
    })
}
