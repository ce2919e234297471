//! Arguments with a form of their own.

use std::path::PathBuf;

use jiff::{civil::Date, tz::TimeZone};

use crate::operations::moment::CampusDay;
pub use crate::operations::{
    dead_letters::{non_blank, vendors},
    moment::Moment,
    rate::Rate,
    reason::Reason,
};

/// A day, e.g. `2026-11-21`.
///
/// # Errors
///
/// A sentence for people.
pub fn day(text: &str) -> Result<Date, String> {
    text.parse::<CampusDay>().map(|day| day.0)
}

/// An IANA time zone.
///
/// # Errors
///
/// A sentence for people.
pub fn timezone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| "write an IANA name, e.g. America/New_York".to_owned())
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
