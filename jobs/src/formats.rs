//! Formats that both destinations ask for.

use email_address::{EmailAddress, Options};
use jiff::{Timestamp, civil::DateTime};

/// Whether `text` is a bare address (no display name) at a domain with a dot.
pub fn is_email(text: &str) -> bool {
    let options = Options::default()
        .without_display_text()
        .without_domain_literal()
        .with_required_tld();
    EmailAddress::parse_with_options(text, options).is_ok()
}

/// Whether `text` is E.164, as AlumnIQ promises for phones: `+`, then 7 to 15 digits, the first not 0.
pub fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Whether `text` is an ISO 8601 date, alone or with a time, which may have a fraction and an offset.
pub fn is_iso_date(text: &str) -> bool {
    const LONGEST: usize = 40;
    let bytes = text.as_bytes();
    let dashes = bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
    let separated = bytes.len() == 10 || bytes.get(10) == Some(&b'T');
    dashes
        && separated
        && bytes.len() <= LONGEST
        && !bytes.contains(&b'[')
        && (text.parse::<Timestamp>().is_ok() || text.parse::<DateTime>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_are_bare_addresses() {
        for text in [
            "ann@example.org",
            "a.b+c@sub.example.co.uk",
            "o'brien@example.org",
            "jürgen@exämple.de",
        ] {
            assert!(is_email(text), "{text}");
        }
        for text in [
            "",
            "ann",
            "ann@",
            "@example.org",
            "ann@example",
            "Ann <ann@example.org>",
            "a b@example.org",
            "ann@[127.0.0.1]",
            "a@b.org, c@d.org",
        ] {
            assert!(!is_email(text), "{text}");
        }
        assert!(!is_email(&format!("{}@example.org", "x".repeat(1_000_000))));
    }

    #[test]
    fn phones_are_e164() {
        for text in ["+15550100199", "+1234567", "+123456789012345"] {
            assert!(is_e164(text), "{text}");
        }
        for text in [
            "",
            "+",
            "15550100199",
            "+0555010019",
            "+123456",
            "+1234567890123456",
            "+1 555 010 0199",
            "+1555010019x",
            "+١٢٣٤٥٦٧٨",
        ] {
            assert!(!is_e164(text), "{text}");
        }
    }

    #[test]
    fn dates_are_iso_8601() {
        for text in [
            "2026-11-21",
            "2026-11-21T10:00:00",
            "2026-11-21T10:00:00Z",
            "2024-05-09T05:36:29.2602615+10:00",
        ] {
            assert!(is_iso_date(text), "{text}");
        }
        for text in [
            "",
            "2026-02-30",
            "20261121",
            "21/11/2026",
            "2026-11-21 10:00:00",
            "2026-11-21T10:00[Europe/Paris]",
            "2026-11-21T",
            "2026-W47-6",
        ] {
            assert!(!is_iso_date(text), "{text}");
        }
    }
}
