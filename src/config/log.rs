//! `[log]`: what goes to stderr.

use tracing_subscriber::EnvFilter;

use super::{
    key::{Shape, default},
    section::section,
    setting::{Setting, Wrong, text, words},
};

section! {
    /// The log on stderr. It never holds personal data or secrets.
    LogConfig at "log" {
        /// "pretty" for people, "json" for machines.
        format: LogFormat = default("pretty"),
        /// "error", "warn", "info", "debug", "trace", or a filter such as "info,alumniq_relay=debug".
        level: LogFilter = default("info"),
    }
}

words! {
    /// The form of a log line.
    LogFormat {
        /// For people.
        Pretty = "pretty",
        /// One JSON object a line.
        Json = "json",
    }
}

/// A filter that `tracing` accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for LogFilter {
    const SHAPE: Shape = Shape::Text;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        let filter = text(value)?.trim();
        let help = r#"write "info", "debug" or a filter such as "info,alumniq_relay=debug""#;
        match EnvFilter::try_new(filter) {
            Ok(_) if !filter.is_empty() => Ok(Self(filter.to_owned())),
            _ => Err(Wrong::new("is no log filter").help(help)),
        }
    }
}
