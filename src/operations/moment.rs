//! A point in time, as people say it: in commands, in addresses, in forms.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, date},
    tz::TimeZone,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        OneOfBuilder, RefOr,
        schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type},
    },
};

/// Longer ago nothing was; and what is subtracted from now stays within the calendar.
const LONGEST_AGO: Duration = Duration::from_secs(2000 * 366 * 24 * 60 * 60);

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
            Self::Day(day) => Ok(day.to_zoned_datetime(timezone.clone())?.timestamp()),
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
        if let Ok(day) = text.parse::<Date>() {
            return within_calendar(day).map(Self::Day);
        }
        match humantime::parse_duration(text) {
            Ok(ago) if ago > LONGEST_AGO => Err("write at most two thousand years".to_owned()),
            Ok(ago) if text != "0" => Ok(Self::Ago(ago)),
            _ => Err(
                "write a day (2026-11-21), an instant (2026-11-21T02:00:00Z) or how long ago (2h, 3d)"
                    .to_owned(),
            ),
        }
    }
}

/// What lies near its ends begins, somewhere on earth, outside of it.
fn within_calendar(day: Date) -> Result<Date, String> {
    match (date(1, 1, 1)..=date(9999, 12, 29)).contains(&day) {
        true => Ok(day),
        false => Err("write a day from 0001-01-01 to 9999-12-29".to_owned()),
    }
}

/// A day of the campus, as people write it: `2026-11-21` and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CampusDay(pub Date);

impl FromStr for CampusDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let help = "write an existing day as YYYY-MM-DD, e.g. 2026-11-21";
        match text.parse::<Date>() {
            Ok(day) if text.len() == "YYYY-MM-DD".len() => within_calendar(day).map(Self),
            _ => Err(help.to_owned()),
        }
    }
}

impl fmt::Display for CampusDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for CampusDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CampusDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl PartialSchema for CampusDay {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
            .description(Some("A day of the campus: 2026-11-21"))
            .into()
    }
}

impl ToSchema for CampusDay {
    fn name() -> Cow<'static, str> {
        "Day".into()
    }
}

impl Moment {
    /// The same in milliseconds of Unix time. What lies before or beyond every time is the first or the last.
    pub fn milliseconds(&self, now: Timestamp, timezone: &TimeZone) -> u64 {
        let beyond = match self {
            Self::Ago(_) => 0,
            Self::Day(_) | Self::At(_) => u64::MAX >> 11,
        };
        self.instant(now, timezone).map_or(beyond, |instant| {
            u64::try_from(instant.as_millisecond()).unwrap_or_default()
        })
    }
}

/// The words that [`FromStr`] reads.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::At(instant) => instant.fmt(f),
            Self::Ago(ago) => humantime::format_duration(*ago).fmt(f),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let format = |known| text().format(Some(SchemaFormat::KnownFormat(known)));
        OneOfBuilder::new()
            .description(Some(
                "A day of the campus (2026-11-21), an instant (2026-11-21T02:00:00Z) or how long ago (2h, 3d)",
            ))
            .item(format(KnownFormat::Date))
            .item(format(KnownFormat::DateTime))
            .item(text().pattern(Some("^[1-9][0-9]{0,4}(s|m|h|d|w)$")))
            .into()
    }
}

impl ToSchema for Moment {
    fn name() -> Cow<'static, str> {
        "Moment".into()
    }
}
