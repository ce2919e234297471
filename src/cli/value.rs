//! Arguments with a form of their own.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::{civil::Date, tz::TimeZone};
use jobs::{destination::Vendor, outcome::DeadClass};

use crate::operations::moment::Day;
pub use crate::operations::{moment::Moment, rate::Rate, reason::Reason};

/// A day, e.g. `2026-11-21`.
///
/// # Errors
///
/// A sentence for people.
pub fn day(text: &str) -> Result<Date, String> {
    text.parse::<Day>().map(|day| day.0)
}

/// An IANA time zone.
///
/// # Errors
///
/// A sentence for people.
pub fn timezone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| "write an IANA name, e.g. America/New_York".to_owned())
}

/// Text that is more than blanks.
///
/// # Errors
///
/// A sentence for people.
pub fn non_blank(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it must not be blank".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// A file that node_exporter reads.
///
/// # Errors
///
/// A sentence for people.
pub fn metrics_file(path: &str) -> Result<PathBuf, String> {
    match path.ends_with(".prom") {
        true => Ok(path.into()),
        false => Err("its name must end in .prom: node_exporter reads no other files".to_owned()),
    }
}

/// A vendor, by its wire name.
pub fn vendors() -> impl TypedValueParser<Value = Vendor> {
    PossibleValuesParser::new(Vendor::ALL.map(Vendor::as_str))
        .try_map(|word| word.parse::<Vendor>())
}

/// A class of dead letters, by its wire name.
pub fn classes() -> impl TypedValueParser<Value = DeadClass> {
    PossibleValuesParser::new(DeadClass::ALL.map(DeadClass::as_str))
        .try_map(|word| word.parse::<DeadClass>())
}
