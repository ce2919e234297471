//! The forms in which a moment may arrive from a CFML server.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// Longer texts are no moments; this spares the parsers a 10 MB field.
const LONGEST: usize = 64;

/// CFML's own format, with the offset that some servers add.
const CFML_FORMATS: [&str; 2] = ["%B, %d %Y %H:%M:%S", "%B, %d %Y %H:%M:%S %z"];

/// Reads ISO 8601 (date, local or with offset), CFML's `{ts '…'}` and `November, 21 2026 10:00:00`,
/// epoch seconds (10 digits) and epoch milliseconds (11 digits and more). What names no offset is
/// local to `tz`; in a gap or fold of daylight saving it is what jiff calls compatible. `None` when
/// unreadable or outside the years 1970 to 9999.
pub(super) fn parse(text: &str, tz: &TimeZone) -> Option<Timestamp> {
    if text.len() > LONGEST {
        return None;
    }
    let instant = if text.len() >= 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse().ok()?;
        if text.len() == 10 {
            Timestamp::from_second(number)
        } else {
            Timestamp::from_millisecond(number)
        }
        .ok()?
    } else {
        let text = literal(text).unwrap_or(text);
        text.parse()
            .ok()
            .or_else(|| local(text, tz))
            .or_else(|| cfml(text, tz))?
    };
    (instant >= Timestamp::UNIX_EPOCH).then_some(instant)
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

fn local(text: &str, tz: &TimeZone) -> Option<Timestamp> {
    tz.to_timestamp(text.parse::<DateTime>().ok()?).ok()
}

fn cfml(text: &str, tz: &TimeZone) -> Option<Timestamp> {
    let [plain, with_offset] = CFML_FORMATS;
    let local = || tz.to_timestamp(DateTime::strptime(plain, text).ok()?).ok();
    Timestamp::strptime(with_offset, text).ok().or_else(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_york() -> TimeZone {
        TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap()
    }

    fn utc(text: &str) -> Option<String> {
        parse(text, &new_york()).map(|instant| instant.to_string())
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
