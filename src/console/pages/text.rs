//! Numbers, times and foreign text, as people read them.

use jiff::{Timestamp, tz::TimeZone};
use jobs::outcome::DeadClass;
use maud::{Markup, html};

use crate::visible::marked;

/// Between groups of three digits: narrow, and no place for a line's end.
const GROUPS: char = '\u{202f}';

/// `1 842`.
pub fn count(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    if number < 0 {
        text.push('\u{2212}');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(GROUPS);
        }
        text.push(digit);
    }
    text
}

/// `1 change`, `7 changes`.
pub fn changes(number: impl Into<i128>) -> String {
    let number = number.into();
    let noun = if number == 1 { "change" } else { "changes" };
    format!("{} {noun}", count(number))
}

/// `42 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`. The script of the pages writes them alike.
pub fn duration(seconds: f64) -> String {
    // Saturates; an absurd age is shown as one.
    let seconds = seconds.max(0.0).round() as u64;
    let (large, small, units) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3_600 => (seconds / 60, seconds % 60, ("min", "s")),
        3_600..86_400 => (seconds / 3_600, seconds % 3_600 / 60, ("h", "min")),
        _ => (seconds / 86_400, seconds % 86_400 / 3_600, ("d", "h")),
    };
    match small {
        0 => format!("{large} {}", units.0),
        _ => format!("{large} {} {small} {}", units.0, units.1),
    }
}

/// How long ago something was; counts on in the browser.
pub fn age(seconds: f64, now: Timestamp) -> Markup {
    html! { time datetime=(whole_second(now, -seconds)) data-age=(format!("{seconds:.0}")) { (duration(seconds)) } }
}

/// How long something still takes; counts down in the browser.
pub fn countdown(seconds: f64, now: Timestamp) -> Markup {
    html! { time datetime=(whole_second(now, seconds)) data-left=(format!("{seconds:.0}")) { (duration(seconds)) } }
}

fn whole_second(now: Timestamp, offset: f64) -> String {
    let second = now.as_second().saturating_add(offset.round() as i64);
    Timestamp::from_second(second).unwrap_or(now).to_string()
}

/// A stored time in the campus' zone: `22 Nov 2026, 09:14:03`. What is no time is shown as it is.
pub fn moment(stored: &str, timezone: &TimeZone) -> Markup {
    match stored.parse::<Timestamp>() {
        Ok(at) => {
            let local = at.to_zoned_datetime(timezone.clone());
            html! {
                time.moment datetime=(stored) title=(local.strftime("%A, %-d %B %Y, %H:%M:%S %Z")) {
                    span { (local.strftime("%-d %b %Y")) } " " span { (local.strftime("%H:%M:%S")) }
                }
            }
        }
        Err(_) => foreign(stored),
    }
}

/// Text that somebody else wrote: whatever its direction, it does not turn ours around, and what nobody would see in
/// it is marked.
pub fn foreign(text: &str) -> Markup {
    html! { bdi { (marked(text)) } }
}

/// Our own words with `code` in them, as the catalogue has them.
pub fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// Why somebody did something, in their own words: they may name a person.
pub fn reason(text: &str, sees_people: bool) -> Markup {
    html! {
        @if sees_people { (foreign(text)) } @else { span.soft title="It may name a person" { "hidden from you" } }
    }
}

/// What to do, in words of ours that may quote somebody else's; as a sentence, however it was written.
pub fn advice(text: &str) -> Markup {
    let text = marked(text);
    let text = text.trim();
    let first = text.split(' ').next().unwrap_or_default();
    let rest = match first.bytes().all(|byte| byte.is_ascii_lowercase()) {
        true => text.get(1..).unwrap_or_default(),
        // A name of somebody's.
        false => text,
    };
    let begin = text[..text.len() - rest.len()].to_ascii_uppercase();
    let end = if text.ends_with(['.', '?', '!', '…']) {
        ""
    } else {
        "."
    };
    html! { @if !text.is_empty() { bdi { (begin) (prose(rest)) (end) } } }
}

/// `1 dead letter`, `7 dead letters`.
pub fn letters(number: u64) -> String {
    let noun = if number == 1 {
        "dead letter"
    } else {
        "dead letters"
    };
    format!("{} {noun}", count(number))
}

/// What people call a field of a row: `Job title`, `Address 1`, `State (ISO)`.
pub fn field(name: &str) -> String {
    let (name, code) = match name.strip_suffix("iso") {
        Some(name) if !name.is_empty() => (name, " (ISO)"),
        _ => (name, ""),
    };
    let mut words = String::new();
    let mut last = ' ';
    for c in name.chars() {
        let begins = (c.is_uppercase() && last.is_lowercase())
            || (c.is_ascii_digit() && last.is_alphabetic());
        match (words.is_empty(), begins || c == '_') {
            (true, _) => words.extend(c.to_uppercase()),
            (false, true) => {
                words.push(' ');
                words.extend(c.to_lowercase().filter(|c| *c != '_'));
            }
            (false, false) => words.push(c),
        }
        last = c;
    }
    words + code
}

/// A class's mark; one that a person can simply wave through is amber.
pub fn class(class: DeadClass) -> Markup {
    let tone = match class {
        DeadClass::Stale => "wait",
        _ => "bad",
    };
    html! { span class={ "tag " (tone) } title=(class.explained().means) { (class) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_842, "1\u{202f}842"),
            (-1_000_000, "\u{2212}1\u{202f}000\u{202f}000"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, text) in [
            (-3.0, "0 s"),
            (0.4, "0 s"),
            (42.0, "42 s"),
            (60.0, "1 min"),
            (250.0, "4 min 10 s"),
            (7_500.0, "2 h 5 min"),
            (270_000.0, "3 d 3 h"),
            (f64::INFINITY, "213503982334601 d 7 h"),
            (f64::NAN, "0 s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn a_field_is_called_as_people_do() {
        for (name, text) in [
            ("employer", "Employer"),
            ("jobTitle", "Job title"),
            ("address1", "Address 1"),
            ("stateiso", "State (ISO)"),
            ("iso", "Iso"),
            ("class_year", "Class year"),
        ] {
            assert_eq!(field(name), text);
        }
    }

    #[test]
    fn an_advice_is_a_sentence() {
        for (written, shown) in [
            (
                "adjust `[crm.map]`; then replay",
                "Adjust <code>[crm.map]</code>; then replay.",
            ),
            ("Discard it.", "Discard it."),
            ("`crm.url` is wrong", "<code>crm.url</code> is wrong."),
            ("changedOn is no date", "changedOn is no date."),
        ] {
            let html = advice(written).into_string();
            assert_eq!(html, format!("<bdi>{shown}</bdi>"));
        }
        assert_eq!(advice("").into_string(), "");
    }

    #[test]
    fn a_moment_is_the_campus_own() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let html = moment("2026-11-22T02:00:03.250Z", &zone).into_string();
        assert!(html.contains("21 Nov 2026"), "{html}");
        assert!(html.contains("21:00:03"), "{html}");
        assert_eq!(
            moment("<yesterday>", &zone).into_string(),
            "<bdi>&lt;yesterday&gt;</bdi>"
        );
    }

    #[test]
    fn what_others_wrote_hides_nothing() {
        let shown = "<bdi>\u{fffd}gnp.exe 1001\u{fffd}</bdi>";
        let hidden = "\u{202e}gnp.exe 1001\u{200b}";
        assert_eq!(foreign(hidden).into_string(), shown);
        assert_eq!(
            advice(hidden).into_string(),
            "<bdi>\u{fffd}gnp.exe 1001\u{fffd}.</bdi>"
        );
    }
}
