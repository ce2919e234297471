//! Takes a client's secrets out of whatever a vendor or the transport says: AlumnIQ's key travels in
//! the query, and error pages like to repeat the request.

use std::{cmp::Reverse, fmt};

use jobs::reply::Reply;
use secrecy::{ExposeSecret, SecretString};

/// What stands in a secret's place.
const REDACTED: &str = "[redacted]";

/// Something shorter hides nothing, and taking it out would maim the text.
const SHORTEST: usize = 4;

/// A 2xx body is data: there only a text is taken out that is too long to stand in a row by chance.
const SHORTEST_IN_DATA: usize = 12;

/// A client's secrets.
#[derive(Clone, Default)]
pub struct Redactor(Vec<SecretString>);

impl Redactor {
    /// Knows each secret as it is and however it may be escaped.
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut secrets: Vec<SecretString> = secrets
            .into_iter()
            .filter(|secret| secret.expose_secret().len() >= SHORTEST)
            .cloned()
            .collect();
        // Where one secret is the beginning of another, the whole other one has to go.
        secrets.sort_by_key(|secret| Reverse(secret.expose_secret().len()));
        Self(secrets)
    }

    /// The reply without the secrets.
    pub fn reply(&self, reply: Reply) -> Reply {
        match reply {
            Reply::Answer(mut answer) => {
                let data = (200..300).contains(&answer.status);
                let shortest = if data { SHORTEST_IN_DATA } else { SHORTEST };
                answer.body = self.text(answer.body, shortest);
                Reply::Answer(answer)
            }
            Reply::Unreachable { cause, advice } => Reply::Unreachable {
                cause: self.text(cause, SHORTEST),
                advice: advice.map(|advice| self.text(advice, SHORTEST)),
            },
            Reply::Lost { cause } => Reply::Lost {
                cause: self.text(cause, SHORTEST),
            },
        }
    }

    /// Data, of a 2xx body, without the secrets; `None`: there is none in it.
    pub fn data(&self, text: &str) -> Option<String> {
        self.without(text, SHORTEST_IN_DATA)
    }

    /// A short text without the secrets.
    pub fn word(&self, word: String) -> String {
        self.text(word, SHORTEST)
    }

    fn text(&self, text: String, shortest: usize) -> String {
        self.without(&text, shortest).unwrap_or(text)
    }

    fn without(&self, text: &str, shortest: usize) -> Option<String> {
        let secrets = self.0.iter().map(ExposeSecret::expose_secret);
        let mut redacted = None;
        for secret in secrets.filter(|secret| secret.len() >= shortest) {
            redacted = without(redacted.as_deref().unwrap_or(text), secret).or(redacted);
        }
        redacted
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// `None`: it does not stand there.
fn without(text: &str, secret: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let first = secret.as_bytes().first().copied().unwrap_or_default();
    let may_begin = |byte: &u8| *byte == first || is_escape(byte);
    let mut kept = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(ahead) = bytes[at..].iter().position(may_begin) {
        at += ahead;
        match spelt(&bytes[at..], secret) {
            Some(length) => {
                kept.push_str(&text[copied..at]);
                kept.push_str(REDACTED);
                at += length;
                copied = at;
            }
            None => at += 1,
        }
    }
    if copied == 0 {
        return None;
    }
    kept.push_str(&text[copied..]);
    Some(kept)
}

/// What a form, a URL, JSON or HTML begins an escaped character with.
fn is_escape(byte: &u8) -> bool {
    matches!(byte, b'%' | b'+' | b'\\' | b'&')
}

/// How many bytes at the start of `text` spell `secret`, each of its characters as it is or escaped: servers
/// differ in what they escape, and how.
fn spelt(text: &[u8], secret: &str) -> Option<usize> {
    let alike = text
        .iter()
        .zip(secret.as_bytes())
        .take_while(|(a, b)| a == b);
    let alike = alike.count();
    // Nearly always the second character differs and nothing is escaped.
    if !text.iter().take(alike + 1).any(is_escape) {
        return (alike == secret.len()).then_some(alike);
    }
    // Several at a time where an escape's own characters could be the secret's.
    let mut ends = vec![0];
    for c in secret.chars() {
        let longer = ends.iter().flat_map(|end| {
            let rest = text.get(*end..).unwrap_or_default();
            let lengths = [plain(c, rest), escaped(c, rest)];
            lengths
                .into_iter()
                .flatten()
                .map(move |length| end + length)
        });
        ends = longer.collect();
        ends.sort_unstable();
        ends.dedup();
        if ends.is_empty() {
            return None;
        }
    }
    ends.last().copied()
}

/// The length of `c` as it is at the start of `text`.
fn plain(c: char, text: &[u8]) -> Option<usize> {
    let mut buffer = [0; 4];
    let bytes = c.encode_utf8(&mut buffer).as_bytes();
    text.starts_with(bytes).then_some(bytes.len())
}

/// The length of `c` escaped at the start of `text`.
fn escaped(c: char, text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'+' => (c == ' ').then_some(1),
        b'%' => {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).bytes().map(u32::from);
            coded(bytes, text, b"%", 2)
        }
        b'\\' if text.get(1) == Some(&b'u') => {
            let mut buffer = [0; 2];
            let units = c.encode_utf16(&mut buffer).iter().copied().map(u32::from);
            coded(units, text, b"\\u", 4)
        }
        b'\\' => {
            let next = char::from(*text.get(1)?);
            (next == c && matches!(c, '"' | '\'' | '\\' | '/')).then_some(2)
        }
        b'&' => {
            let end = text.iter().take(10).position(|byte| *byte == b';')?;
            let name = std::str::from_utf8(text.get(1..end)?).ok()?;
            let is_this = match name.to_ascii_lowercase().as_str() {
                "amp" => c == '&',
                "lt" => c == '<',
                "gt" => c == '>',
                "quot" => c == '"',
                "apos" => c == '\'',
                "nbsp" => c == ' ',
                number => number.strip_prefix('#').is_some_and(|number| {
                    let code = match number.strip_prefix('x') {
                        Some(hex) => u32::from_str_radix(hex, 16),
                        None => number.parse(),
                    };
                    code == Ok(u32::from(c))
                }),
            };
            is_this.then_some(end + 1)
        }
        _ => None,
    }
}

/// The length of all `codes` at the start of `text`, each a `prefix` and so many hexadecimal digits.
fn coded(
    codes: impl Iterator<Item = u32>,
    text: &[u8],
    prefix: &[u8],
    digits: usize,
) -> Option<usize> {
    let mut end = 0;
    for code in codes {
        let written = text.get(end..)?.strip_prefix(prefix)?.get(..digits)?;
        let written = std::str::from_utf8(written).ok()?;
        if u32::from_str_radix(written, 16) != Ok(code) {
            return None;
        }
        end += prefix.len() + digits;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use jobs::reply::Answer;
    use proptest::prelude::*;

    use super::*;

    fn redacted(secret: &str, status: u16, body: &str) -> String {
        let redactor = Redactor::of([&SecretString::from(secret)]);
        let reply = redactor.reply(Reply::Answer(Answer {
            status,
            retry_after: None,
            body: body.to_owned(),
        }));
        let Reply::Answer(answer) = reply else {
            panic!("an answer stays an answer")
        };
        answer.body
    }

    #[test]
    fn a_secret_is_taken_out_in_each_of_its_spellings() {
        let secret = "k/y \"1+2";
        for echo in [
            "k/y \"1+2",
            "k%2Fy+%221%2B2",
            "k%2Fy%20%221%2B2",
            "k%2fy+%221%2b2",
            "k/y \\\"1+2",
            "k\\/y \\u00221\\u002B2",
            "k/y &quot;1+2",
            "k&#x2F;y&nbsp;&#34;1&#43;2",
        ] {
            assert_eq!(redacted(secret, 500, &format!("<{echo}>")), "<[redacted]>");
        }
    }

    #[test]
    fn an_escape_that_begins_like_the_character_itself_goes_as_a_whole() {
        assert_eq!(redacted("k&y&", 500, "<k&y&amp;>"), "<[redacted]>");
        assert_eq!(redacted("k&y&", 500, "<k&amp;y&>"), "<[redacted]>");
    }

    #[test]
    fn data_is_not_maimed_by_a_short_secret() {
        assert_eq!(
            redacted("demo", 200, "[\"demolition\"]"),
            "[\"demolition\"]"
        );
        assert_eq!(redacted("demo", 500, "key demo"), "key [redacted]");
        assert_eq!(redacted("a", 500, "a banana"), "a banana");
        assert_eq!(
            redacted("0123456789abcdef", 200, "0123456789abcdef"),
            "[redacted]"
        );
    }

    /// `secret` with each character written in one of the ways in which servers write it.
    fn echoed(secret: &str, ways: &[u8]) -> String {
        let mut echo = String::new();
        for (c, way) in secret.chars().zip(ways.iter().cycle()) {
            let code = u32::from(c);
            let bytes = c.to_string().into_bytes();
            match way % 6 {
                1 => bytes
                    .iter()
                    .for_each(|byte| echo += &format!("%{byte:02X}")),
                2 => bytes
                    .iter()
                    .for_each(|byte| echo += &format!("%{byte:02x}")),
                3 => echo += &format!("&#{code};"),
                4 => c
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .for_each(|unit| echo += &format!("\\u{unit:04X}")),
                5 if c == '"' => echo += "\\\"",
                5 if c == '&' => echo += "&amp;",
                _ => echo.push(c),
            }
        }
        echo
    }

    proptest! {
        #[test]
        fn a_secret_is_taken_out_however_it_is_escaped(
            secret in "[ -~ü👩]{4,12}", ways in prop::collection::vec(0..6_u8, 1..6), around in "[%&+u0-9;a ]{0,6}", status: u16,
        ) {
            prop_assume!(!(200..300).contains(&status));
            let body = format!("{around}{}{around}", echoed(&secret, &ways));
            let redacted = redacted(&secret, status, &body);
            prop_assert!(redacted.contains(REDACTED), "{} in {}", secret, body);
            prop_assert!(redacted.len() <= 2 * around.len() + REDACTED.len(), "{} of {}", redacted, body);
        }

        #[test]
        fn any_text_is_searched_without_panic(secret in "\\PC{0,9}", body in "([%&+\\\\]|\\PC){0,60}") {
            redacted(&secret, 500, &body);
        }
    }

    #[test]
    fn a_very_long_secret_is_found_too() {
        let secret = "%25é".repeat(100_000);
        assert_eq!(
            redacted(&secret, 500, &format!("a{secret}b")),
            "a[redacted]b"
        );
        let echo = echoed(&secret, &[1, 0, 3]);
        assert_eq!(redacted(&secret, 500, &format!("a{echo}b")), "a[redacted]b");
    }
}
