//! Makes a vendor's words fit for logs, timelines and dead letters.

/// Most characters that are kept.
const LONGEST: usize = 300;
/// Most characters that [`gathered`] keeps: a cause lies in Redis and in logs with every attempt.
const LONGEST_GATHERED: usize = 2_000;
/// A run with this many digits may be a phone number, a date of birth or a student's number.
const LONG_RUN: usize = 5;
const MASK: &str = "***";

/// `text` on one line and at most 300 characters, with what may be personal data masked: quoted
/// strings, words with an `@`, and runs of five or more digits (also with phone punctuation between
/// them). A name without quotes cannot be told from other words and stays. Characters that steer a terminal
/// or cannot be seen become blanks.
pub fn redact(text: &str) -> String {
    // Masks shorten, so a few times the kept length is all that needs reading: bodies may be megabytes.
    const READ: usize = 10 * LONGEST;
    let visible = |c: char| if is_invisible(c) { ' ' } else { c };
    let mut chars = text.chars();
    let mut text: String = chars.by_ref().take(READ).map(visible).collect();
    let is_cut = chars.next().is_some();
    if is_cut {
        // Of an email address that was cut through no `@` may be left to tell it by.
        text.truncate(text.rfind(char::is_whitespace).unwrap_or_default());
    }
    let masked = mask_digits(&mask_emails(&mask_quoted(&text)));
    let mut kept: String = masked.chars().take(LONGEST).collect();
    if is_cut || kept.len() < masked.len() {
        kept.push('…');
    }
    kept
}

/// Redacted `parts` in one sentence of at most 2 000 characters.
pub(crate) fn gathered(parts: impl Iterator<Item = String>) -> String {
    let mut sentence = String::new();
    for part in parts.filter(|part| !part.is_empty()) {
        if !sentence.is_empty() {
            sentence.push_str("; ");
        }
        sentence.push_str(&part);
        if let Some((end, _)) = sentence.char_indices().nth(LONGEST_GATHERED) {
            sentence.truncate(end);
            sentence.push('…');
            break;
        }
    }
    sentence
}

/// Control characters, and those of zero width or that turn the direction of writing.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// An apostrophe inside a word (`can't`, `O'Brien`) neither opens nor closes a quotation.
fn mask_quoted(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let inside_word = |at: usize| {
        let letter = |at: Option<usize>| {
            at.and_then(|at| chars.get(at))
                .is_some_and(|c| c.is_alphanumeric())
        };
        letter(at.checked_sub(1)) && letter(Some(at + 1))
    };
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&open) = chars.get(at) {
        let after_word = at > 0 && chars[at - 1].is_alphanumeric();
        let close = match open {
            '\'' if after_word => None,
            '"' | '\'' | '`' => Some(open),
            '“' => Some('”'),
            '‘' => Some('’'),
            '«' => Some('»'),
            _ => None,
        };
        let Some(close) = close else {
            masked.push(open);
            at += 1;
            continue;
        };
        masked.push(open);
        masked.push_str(MASK);
        masked.push(close);
        let end = (at + 1..chars.len()).find(|&end| chars[end] == close && !inside_word(end));
        at = end.map_or(chars.len(), |end| end + 1);
    }
    masked
}

fn mask_emails(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        if word.contains(['@', '＠']) {
            MASK
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn mask_digits(text: &str) -> String {
    let is_phone = |c: char| c.is_numeric() || " +-./()‐‑‒–—―−·".contains(c);
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(char::is_numeric) {
        let (before, run) = rest.split_at(start);
        let end = run.find(|c: char| !is_phone(c)).unwrap_or(run.len());
        let (run, after) = run.split_at(end);
        let number = run.trim_end_matches(|c: char| !c.is_numeric());
        masked.push_str(before);
        if number.chars().filter(|c| c.is_numeric()).count() >= LONG_RUN {
            masked.push_str(MASK);
        } else {
            masked.push_str(number);
        }
        masked.push_str(&run[number.len()..]);
        rest = after;
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_be_personal_is_masked_and_the_rest_stays() {
        for (text, redacted) in [
            (
                "The field EmailAddress2 is invalid.",
                "The field EmailAddress2 is invalid.",
            ),
            (
                "The value 'ann@example.org' is invalid",
                "The value '***' is invalid",
            ),
            (
                "The value 'Sean O'Brien' can't be used",
                "The value '***' can't be used",
            ),
            ("students' data", "students' data"),
            ("bad “Ann Lee”, bad \"Bob\"", "bad “***”, bad \"***\""),
            ("unclosed 'Ann Lee is", "unclosed '***'"),
            ("mail ann@example.org twice", "mail *** twice"),
            ("call +1 (555) 010-0199 now", "call +*** now"),
            (
                "at most 100 of 4711 are allowed",
                "at most 100 of 4711 are allowed",
            ),
            ("born 1980-02-29.", "born ***."),
            ("two\n lines", "two lines"),
            ("", ""),
        ] {
            assert_eq!(redact(text), redacted);
        }
    }

    #[test]
    fn length_is_bounded() {
        assert_eq!(redact(&"x ".repeat(1_000_000)).chars().count(), 301);
    }

    proptest! {
        #[test]
        fn no_email_phone_or_quotation_survives(before in "[a-z ]{0,9}", after in "[a-z ]{0,9}", digits in "[0-9]{5,12}", name in "[A-Z][a-z]{3,9}") {
            let text = format!("{before} {name}@x.org {digits} '{name}' {after}");
            let redacted = redact(&text);
            prop_assert!(!redacted.contains(&digits) && !redacted.contains(&name), "{}", redacted);
        }

        #[test]
        fn any_text_is_redacted_without_panic(text in "\\PC{0,80}") {
            redact(&text);
        }
    }
}
