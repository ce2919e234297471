//! The forms in which a moment may arrive from a CFML server.

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

/// Longer texts are no moments; this spares the parsers a 10 MB field.
const LONGEST: usize = 64;

/// CFML's own format, with the offset that some servers add.
const CFML_FORMATS: [&str; 2] = ["%B, %d %Y %H:%M:%S", "%B, %d %Y %H:%M:%S %z"];

/// A moment, and what it counts as in the order of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OrderedMoment {
    pub at: Timestamp,
    /// A local time that the clock shows twice cannot say which of the two it means: all such times of one night
    /// count as their first instant, and the changeId decides among them.
    pub order: Timestamp,
}

impl From<Timestamp> for OrderedMoment {
    fn from(at: Timestamp) -> Self {
        Self { at, order: at }
    }
}

/// Reads ISO 8601 (date, local or with offset), CFML's `{ts '…'}` and `November, 21 2026 10:00:00`,
/// epoch seconds (10 digits) and epoch milliseconds (11 digits and more). What names no offset is
/// local to `tz`; in a gap or fold of daylight saving it is what jiff calls compatible. `None` when
/// unreadable or outside the years 1970 to 9999.
pub(super) fn parse(text: &str, tz: &TimeZone) -> Option<OrderedMoment> {
    if text.len() > LONGEST {
        return None;
    }
    let moment = if text.len() >= 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse().ok()?;
        if text.len() == 10 {
            Timestamp::from_second(number)
        } else {
            Timestamp::from_millisecond(number)
        }
        .ok()?
        .into()
    } else {
        let text = literal(text).unwrap_or(text);
        let instant = text.parse::<Timestamp>().ok().map(OrderedMoment::from);
        instant
            .or_else(|| local(text.parse().ok()?, tz))
            .or_else(|| cfml(text, tz))?
    };
    (moment.at >= Timestamp::UNIX_EPOCH).then_some(moment)
}

/// The inside of CFML's `{ts '…'}` or `{d '…'}`.
fn literal(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('{')?.strip_suffix('}')?.trim();
    let quoted = inside
        .strip_prefix("ts")
        .or_else(|| inside.strip_prefix('d'))?
        .trim();
    Some(quoted.strip_prefix('\'')?.strip_suffix('\'')?.trim())
}

fn local(text: DateTime, tz: &TimeZone) -> Option<OrderedMoment> {
    let local = tz.to_ambiguous_timestamp(text);
    let offset = local.offset();
    let at = local.compatible().ok()?;
    let order = match offset {
        AmbiguousOffset::Fold { before, after } => {
            let turned_back = tz.following(at).next()?.timestamp();
            let twice = i64::from(before.seconds() - after.seconds());
            turned_back
                .checked_sub(SignedDuration::from_secs(twice))
                .ok()?
        }
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => at,
    };
    Some(OrderedMoment { at, order })
}

fn cfml(text: &str, tz: &TimeZone) -> Option<OrderedMoment> {
    let [plain, with_offset] = CFML_FORMATS;
    let local = || local(DateTime::strptime(plain, text).ok()?, tz);
    let instant = Timestamp::strptime(with_offset, text).ok();
    instant.map(OrderedMoment::from).or_else(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_york() -> TimeZone {
        TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap()
    }

    fn utc(text: &str) -> Option<String> {
        parse(text, &new_york()).map(|moment| moment.at.to_string())
    }

    fn order(text: &str, tz: &TimeZone) -> String {
        parse(text, tz).unwrap().order.to_string()
    }

    #[test]
    fn local_times_that_the_clock_shows_twice_count_as_one_and_all_others_as_what_they_are() {
        let new_york = new_york();
        for text in [
            "2026-11-01T01:00:00",
            "2026-11-01 01:50",
            "{ts '2026-11-01 01:59:59.999'}",
            "November, 01 2026 01:10:00",
        ] {
            assert_eq!(order(text, &new_york), "2026-11-01T05:00:00Z", "{text}");
        }
        for (text, instant) in [
            ("2026-11-01T00:59:59", "2026-11-01T04:59:59Z"),
            ("2026-11-01T02:00:00", "2026-11-01T07:00:00Z"),
            ("2026-11-01T01:10:00-04:00", "2026-11-01T05:10:00Z"),
            ("2026-11-01T01:10:00-05:00", "2026-11-01T06:10:00Z"),
            ("2026-03-08T02:30:00", "2026-03-08T07:30:00Z"),
        ] {
            assert_eq!(order(text, &new_york), instant, "{text}");
        }
        // Half an hour is shown twice there.
        let lord_howe = TimeZone::posix("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0").unwrap();
        for text in ["2026-04-05T01:30:00", "2026-04-05T01:59:00"] {
            assert_eq!(order(text, &lord_howe), "2026-04-04T14:30:00Z", "{text}");
        }
    }

    #[test]
    fn every_form_of_one_moment_is_the_same_moment() {
        for form in [
            "2026-11-21T15:00:00Z",
            "2026-11-21T15:00:00.000+00:00",
            "2026-11-21T10:00:00-0500",
            "2026-11-21T10:00:00",
            "2026-11-21T10:00",
            "2026-11-21 10:00:00",
            "2026-11-21 10:00:00.000",
            "{ts '2026-11-21 10:00:00'}",
            "{ts'2026-11-21 10:00:00.0'}",
            "November, 21 2026 10:00:00",
            "November, 21 2026 10:00:00 -0500",
            "1795273200000",
            "1795273200",
        ] {
            assert_eq!(utc(form).as_deref(), Some("2026-11-21T15:00:00Z"), "{form}");
        }
    }

    #[test]
    fn a_date_is_midnight_on_campus() {
        assert_eq!(utc("2026-11-21").as_deref(), Some("2026-11-21T05:00:00Z"));
        assert_eq!(
            utc("{d '2026-07-01'}").as_deref(),
            Some("2026-07-01T04:00:00Z")
        );
    }

    #[test]
    fn a_fraction_counts() {
        assert_eq!(
            utc("2026-11-21 10:00:00.25").as_deref(),
            Some("2026-11-21T15:00:00.25Z")
        );
    }

    #[test]
    fn gaps_and_folds_of_daylight_saving_are_compatible() {
        assert_eq!(
            utc("2026-03-08 02:30:00").as_deref(),
            Some("2026-03-08T07:30:00Z")
        );
        assert_eq!(
            utc("2026-11-01 01:30:00").as_deref(),
            Some("2026-11-01T05:30:00Z")
        );
    }

    #[test]
    fn what_is_no_moment_between_1970_and_9999_is_refused() {
        for text in [
            "",
            "yesterday",
            "true",
            "12",
            "2026-02-30",
            "2026-13-01",
            "21/11/2026",
            "1969-12-31T23:59:59Z",
            "0001-01-01",
            "+010000-01-01",
            "999999999999999",
            "99999999999999999999999",
            "{ts 2026-11-21}",
            "{}",
            "{ts ''}",
            "November, 2026",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
        assert_eq!(utc(&"1".repeat(10_000_000)), None);
    }
}
