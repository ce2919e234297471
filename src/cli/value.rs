//! Arguments with a form of their own.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use jobs::{destination::Vendor, outcome::DeadClass};

/// A day, e.g. `2026-11-21`.
///
/// # Errors
///
/// A sentence for people.
pub fn day(text: &str) -> Result<Date, String> {
    text.parse()
        .map_err(|_| "write an existing day as YYYY-MM-DD, e.g. 2026-11-21".to_owned())
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

/// A point in time, as people say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// The start of a campus-local day.
    Day(Date),
    /// An instant.
    At(Timestamp),
    /// This long before now.
    Ago(Duration),
}

impl Moment {
    /// The instant that is meant.
    ///
    /// # Errors
    ///
    /// When it lies outside representable time.
    pub fn instant(&self, now: Timestamp, timezone: &TimeZone) -> Result<Timestamp, jiff::Error> {
        match self {
            Self::Day(day) => Ok(day.to_zoned(timezone.clone())?.timestamp()),
            Self::At(instant) => Ok(*instant),
            Self::Ago(ago) => now.checked_sub(SignedDuration::try_from(*ago)?),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(instant) = text.parse() {
            return Ok(Self::At(instant));
        }
        if let Ok(day) = text.parse() {
            return Ok(Self::Day(day));
        }
        humantime::parse_duration(text).map(Self::Ago).map_err(|_| {
            "write a day (2026-11-21), an instant (2026-11-21T02:00:00Z) or how long ago (2h, 3d)"
                .to_owned()
        })
    }
}

/// How many a second or a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per: Duration,
}

impl Rate {
    /// The time from one to the next.
    pub fn interval(&self) -> Duration {
        self.per / self.count
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.per.as_secs() == 1 { "s" } else { "m" };
        write!(f, "{}/{unit}", self.count)
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let help = || "write a number a second or a minute, e.g. 10/s or 300/m".to_owned();
        let (count, unit) = text.split_once('/').ok_or_else(help)?;
        let per = match unit {
            "s" => Duration::from_secs(1),
            "m" | "min" => Duration::from_secs(60),
            _ => return Err(help()),
        };
        match count.parse::<u32>() {
            // The interval has to be a time: more than one a nanosecond is none.
            Ok(count) if count > 0 && !(per / count).is_zero() => Ok(Self { count, per }),
            _ => Err(help()),
        }
    }
}
