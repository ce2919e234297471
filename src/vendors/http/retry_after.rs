//! `Retry-After` (RFC 9110, 10.2.3) in both of its forms.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// A vendor that names a longer wait than this is asked again after it all the same.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The delay that an answer asks for; `None` where it asks for none: 0 and a date that has passed say no more than no
/// header does. A date is taken relative to the answer's own `Date`, so that a wrong clock on either side does no harm,
/// else to `now`.
pub fn delay(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER)?;
    let delay = if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // What overflows is longer than the longest wait.
        value.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        let until = date(value)?;
        let from = text(headers, DATE).and_then(date).unwrap_or(now);
        Duration::try_from(until.duration_since(from)).unwrap_or(Duration::ZERO)
    };
    (!delay.is_zero()).then(|| delay.min(LONGEST))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}

fn date(text: &str) -> Option<Timestamp> {
    let parser = DateTimeParser::new().relaxed_weekday(true);
    parser.parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn both_forms_become_a_delay_of_at_most_a_day_or_none() {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        let date = Some("Sun, 01 Mar 2026 10:00:00 GMT");
        for (value, date, seconds) in [
            ("120", None, Some(120)),
            (" 0 ", None, None),
            ("99999999999999999999999999", None, Some(86_400)),
            ("86401", None, Some(86_400)),
            ("Sun, 01 Mar 2026 12:01:30 GMT", None, Some(90)),
            ("Sun, 01 Mar 2026 10:00:30 GMT", date, Some(30)),
            ("Mon, 01 Mar 2026 10:00:30 GMT", date, Some(30)),
            ("Sun, 01 Mar 2026 09:00:00 GMT", date, None),
            ("Sun, 01 Mar 2026 11:59:59 GMT", None, None),
            ("Sun, 01 Mar 2099 09:00:00 GMT", date, Some(86_400)),
            ("Sun, 01 Mar 2026 12:00:10 GMT", Some("nonsense"), Some(10)),
            ("", None, None),
            ("-5", None, None),
            ("soon", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            assert_eq!(
                delay(&headers, now),
                seconds.map(Duration::from_secs),
                "{value}"
            );
        }
        assert_eq!(delay(&HeaderMap::new(), now), None);
    }
}
