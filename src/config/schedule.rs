//! When AlumnIQ is polled: `"every 15m"` or `"daily 02:00"` in campus-local time.

use std::{fmt, time::Duration};

use jiff::{Timestamp, ToSpan, civil::Time, tz::TimeZone};

use super::{
    key::Shape,
    setting::{Setting, Wrong, text},
};

/// The shortest interval: AlumnIQ publishes no rate limit, and a shorter one helps nobody.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// When to poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Again after this long.
    Every(Duration),
    /// Once a day at this campus-local time.
    Daily(Time),
}

impl Schedule {
    /// The longest time between two polls, but for a change of clocks.
    pub fn longest_interval(&self) -> Duration {
        match self {
            Self::Every(interval) => *interval,
            Self::Daily(_) => Duration::from_secs(24 * 60 * 60),
        }
    }

    /// The first poll after `now`. A daily time that a change of clocks skips is due as much later as the
    /// clocks went forward (02:30 at 03:30); one that occurs twice is due once, the first time.
    ///
    /// # Errors
    ///
    /// At the end of representable time (year 9999).
    pub fn next_after(
        &self,
        now: Timestamp,
        timezone: &TimeZone,
    ) -> Result<Timestamp, jiff::Error> {
        match self {
            Self::Every(interval) => now.checked_add(*interval),
            Self::Daily(time) => {
                let mut day = now.to_zoned_datetime(timezone.clone()).date();
                loop {
                    let due = day
                        .to_datetime(*time)
                        .to_zoned_datetime(timezone.clone())?
                        .timestamp();
                    if due > now {
                        return Ok(due);
                    }
                    day = day.checked_add(1.day())?;
                }
            }
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(f, "every {}", humantime::format_duration(*interval)),
            Self::Daily(time) => write!(f, "daily {}", time.strftime("%H:%M")),
        }
    }
}

impl Setting for Schedule {
    const SHAPE: Shape = Shape::Text;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        let help = r#"write "daily 02:00" (campus-local time) or "every 15m""#;
        let written = text(value).map_err(|wrong| wrong.help(help))?.trim();
        match written.split_once(char::is_whitespace) {
            Some(("every", interval)) => every(interval.trim()),
            Some(("daily", time)) => Time::strptime("%H:%M", time.trim())
                .map(Self::Daily)
                .map_err(|_| "has no time of day between 00:00 and 23:59".to_owned()),
            _ => Err("is no schedule".to_owned()),
        }
        .map_err(|rule| Wrong::new(rule).help(help))
    }
}

fn every(interval: &str) -> Result<Schedule, String> {
    let interval = humantime::parse_duration(interval)
        .map_err(|error| format!("has no usable interval ({error})"))?;
    if !(SHORTEST..=LONGEST).contains(&interval) {
        return Err("must poll at most every 10s and at least every 7days".to_owned());
    }
    Ok(Schedule::Every(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Schedule, Wrong> {
        Schedule::parse(&toml::Value::from(text))
    }

    #[test]
    fn an_interval_and_a_daily_time_are_schedules_and_print_as_written() {
        for text in ["every 15m", "every 10s", "daily 02:00", "daily 23:59"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_schedule_says_what_to_write() {
        for text in [
            "",
            "15m",
            "every",
            "every 9s",
            "every 8days",
            "every x",
            "daily",
            "daily 24:00",
            "daily 2pm",
            "hourly",
            "every 99999999999999999999s",
        ] {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.help.unwrap().contains("daily 02:00"), "{text}");
        }
    }

    #[test]
    fn a_daily_poll_follows_the_campus_clock_through_both_changes_of_clocks() {
        let campus = TimeZone::get("America/New_York").unwrap();
        let next = |schedule: &str, now: &str| {
            let now: Timestamp = now.parse().unwrap();
            let due = parse(schedule).unwrap().next_after(now, &campus).unwrap();
            due.to_string()
        };
        // 2026-03-08 has no 02:30; 2026-11-01 has 01:30 twice.
        assert_eq!(
            next("daily 02:30", "2026-03-07T12:00:00Z"),
            "2026-03-08T07:30:00Z"
        );
        assert_eq!(
            next("daily 02:30", "2026-03-08T07:30:00Z"),
            "2026-03-09T06:30:00Z"
        );
        assert_eq!(
            next("daily 01:30", "2026-10-31T12:00:00Z"),
            "2026-11-01T05:30:00Z"
        );
        assert_eq!(
            next("daily 01:30", "2026-11-01T05:30:00Z"),
            "2026-11-02T06:30:00Z"
        );
        assert_eq!(
            next("every 15m", "2026-11-01T05:30:00Z"),
            "2026-11-01T05:45:00Z"
        );
    }
}
