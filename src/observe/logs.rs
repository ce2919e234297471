//! The program's logs: to stderr, for people or as JSON lines. The traces are in [`traces`](super::traces).
//!
//! Dependencies never speak below `warn`, whatever is asked for: an HTTP client's debug lines hold URLs,
//! and AlumnIQ's key travels in one.

use std::{
    ffi::OsStr,
    io::{self, IsTerminal},
    panic,
};

use jobs::call_log::VendorCall;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, filter, fmt::MakeWriter, layer::SubscriberExt, registry::Registry,
    util::SubscriberInitExt,
};

mod stderr;
mod terminal;

use self::{stderr::Lines, terminal::Beside};
pub use self::{
    stderr::{FlushAtEnd, bar_target, flush, tell},
    terminal::spare,
};
use crate::config::LogFormat;

/// What is logged when nobody says otherwise.
pub const DEFAULT_FILTER: &str = "info";

/// The same, for a command that prints a summary: without a line for each change.
pub const SUMMARY_FILTER: &str = "info,alumniq_relay::change=warn";

/// The crates whose lines are ours.
const OURS: [&str; 4] = [
    "alumniq_relay",
    "alumniq_relay_jobs",
    "alumniq_relay_queue",
    "alumniq_relay_sandbox",
];

/// A filter that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error(
    "{origin} = `{filter}` is no log filter ({source}); use a level such as `info` or `debug`, or directives such as `info,alumniq_relay_queue=trace`"
)]
pub struct FilterError {
    origin: &'static str,
    filter: String,
    source: filter::ParseError,
}

/// Logs cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be understood.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Another subscriber is installed already.
    #[error("logging was already started in this process")]
    AlreadyStarted(#[from] tracing_subscriber::util::TryInitError),
}

/// Where a filter may come from, first come first served: the flag, `RUST_LOG`, the configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filters<'a> {
    /// `--log-level`.
    pub flag: Option<&'a str>,
    /// The variable `RUST_LOG`.
    pub rust_log: Option<&'a str>,
    /// `log.level`.
    pub config: Option<&'a str>,
}

impl Filters<'_> {
    /// The filter that counts; [`DEFAULT_FILTER`] when none is given.
    ///
    /// # Errors
    /// It cannot be understood; the error names where it came from.
    pub fn choose(&self) -> Result<EnvFilter, FilterError> {
        let (origin, filter) = [
            ("--log-level", self.flag),
            ("RUST_LOG", self.rust_log),
            ("log.level", self.config),
        ]
        .into_iter()
        .find_map(|(origin, filter)| Some((origin, filter?.trim())).filter(|(_, f)| !f.is_empty()))
        .unwrap_or(("the default", DEFAULT_FILTER));
        EnvFilter::builder()
            .parse(filter)
            .map_err(|source| FilterError {
                origin,
                filter: filter.to_owned(),
                source,
            })
    }
}

/// Starts logging to stderr for this process. `flag` and `config` are filters as in [`Filters`].
///
/// # Errors
/// A filter that cannot be understood, or logging that was already started.
pub fn init(
    format: LogFormat,
    flag: Option<&str>,
    config: Option<&str>,
) -> Result<(), TelemetryError> {
    let rust_log = std::env::var("RUST_LOG").ok();
    let filter = Filters {
        flag,
        rust_log: rust_log.as_deref(),
        config,
    }
    .choose()?;
    let writer = || Beside(Lines);
    subscriber(format, filter, colours_on(&io::stderr()), writer).try_init()?;
    Ok(())
}

/// One line a call to a vendor, for who looks closely.
pub fn called(call: &VendorCall) {
    let VendorCall {
        vendor,
        operation,
        status,
        ..
    } = call;
    tracing::debug!(
        vendor,
        operation,
        status,
        ms = call.duration.as_millis() as u64,
        request_id = %call.request_id,
        vendor_request_id = call.vendor_request_id,
        "called"
    );
}

/// Reports a panic by its place alone: its message may hold a row's data. A log line where logging has begun,
/// else plain text on stderr.
pub fn report_panics() {
    panic::set_hook(Box::new(|panicked| {
        let place = panicked
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        if tracing::dispatcher::has_been_set() {
            tracing::error!(%place, "panicked: this is a defect, please report the place");
        } else {
            tell(format_args!(
                "panicked at {place}: this is a defect, please report the place"
            ));
        }
    }));
}

/// Whether `stream` shows colours.
pub fn colours_on(stream: &impl IsTerminal) -> bool {
    colours(
        stream.is_terminal(),
        std::env::var_os("NO_COLOR").as_deref(),
    )
}

/// The subscriber that [`init`] installs, with a writer of the caller's choice (one that spares a progress
/// bar, or a test's buffer).
pub fn subscriber<W>(
    format: LogFormat,
    filter: EnvFilter,
    colours: bool,
    writer: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer::<Registry>()
        .with_writer(writer)
        .with_ansi(colours);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(
        lines
            .with_filter(filter)
            .with_filter(filter::filter_fn(admitted)),
    )
}

/// Whether a line may be written at all, before any filter is asked.
fn admitted(metadata: &Metadata<'_>) -> bool {
    // In tracing's order, a louder level is the greater one.
    let (krate, _) = metadata
        .target()
        .split_once("::")
        .unwrap_or((metadata.target(), ""));
    *metadata.level() <= Level::WARN || OURS.contains(&krate)
}

/// Colours are for terminals, unless `NO_COLOR` is set to anything (<https://no-color.org>).
fn colours(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests;
