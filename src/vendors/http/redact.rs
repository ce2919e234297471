//! Takes a client's secrets out of whatever a vendor or the transport says: AlumnIQ's key travels in
//! the query, and error pages like to repeat the request.

use std::{cmp::Reverse, collections::BTreeSet, fmt};

use jobs::reply::Reply;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// What stands in a secret's place.
const REDACTED: &str = "[redacted]";

/// Something shorter hides nothing, and taking it out would maim the text.
const SHORTEST: usize = 4;

/// A 2xx body is data: there only a text is taken out that is too long to stand in a row by chance.
const SHORTEST_IN_DATA: usize = 12;

/// A client's secrets, in every spelling in which a server may repeat them.
#[derive(Clone, Default)]
pub struct Redactor(Vec<SecretString>);

impl Redactor {
    /// Knows each secret as it is and as JSON, URLs, forms and HTML write it.
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let secrets = secrets.into_iter().map(ExposeSecret::expose_secret);
        let mut spellings: Vec<String> = secrets
            .filter(|secret| secret.len() >= SHORTEST)
            .flat_map(spellings)
            .collect();
        // Where one is the beginning of another, the whole other one has to go.
        spellings.sort_unstable_by_key(|spelling| Reverse(spelling.len()));
        Self(spellings.into_iter().map(SecretString::from).collect())
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
        let spellings = self.0.iter().map(ExposeSecret::expose_secret);
        let mut redacted = None;
        for spelling in spellings.filter(|spelling| spelling.len() >= shortest) {
            let text = redacted.as_deref().unwrap_or(text);
            if text.contains(spelling) {
                redacted = Some(text.replace(spelling, REDACTED));
            }
        }
        redacted
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// How servers write `secret` when they repeat a request. Most secrets are letters and digits and have one spelling.
fn spellings(secret: &str) -> BTreeSet<String> {
    let html = secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;");
    let mut spellings = BTreeSet::from([secret.to_owned(), html]);

    let pieces = || form_urlencoded::byte_serialize(secret.as_bytes());
    // A `%2F` is a piece of its own.
    let lowercase = pieces().map(|piece| match piece.starts_with('%') {
        true => piece.to_ascii_lowercase(),
        false => piece.to_owned(),
    });
    for form in [pieces().collect::<String>(), lowercase.collect()] {
        spellings.insert(form.replace('+', "%20"));
        spellings.insert(form);
    }

    let json = Value::from(secret).to_string();
    let json = &json[1..json.len() - 1]; // without the quotation marks
    let ascii = escaped(json, |c| !c.is_ascii(), |unit| format!("\\u{unit:04x}"));
    let dot_net = escaped(
        &json.replace("\\\"", "\""),
        |c| !c.is_ascii() || "\"&'+<>`".contains(c),
        |unit| format!("\\u{unit:04X}"),
    );
    for json in [json.to_owned(), ascii, dot_net] {
        spellings.insert(json.replace('/', "\\/"));
        spellings.insert(json);
    }
    spellings
}

/// `text` with the characters that `which` names written as UTF-16 units.
fn escaped(text: &str, which: impl Fn(char) -> bool, write: impl Fn(u16) -> String) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match which(c) {
            true => escaped.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| write(*unit))),
            false => escaped.push(c),
        }
    }
    escaped
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
        ] {
            assert_eq!(redacted(secret, 500, &format!("<{echo}>")), "<[redacted]>");
        }
        let secret = "Grün 👩";
        for echo in [
            "Gr%C3%BCn+%F0%9F%91%A9",
            "Gr\\u00fcn \\ud83d\\udc69",
            "Gr\\u00FCn \\uD83D\\uDC69",
        ] {
            assert_eq!(redacted(secret, 500, &format!("<{echo}>")), "<[redacted]>");
        }
    }

    #[test]
    fn a_secret_that_another_one_begins_with_leaves_no_rest() {
        let secrets = ["k/y1", "k/y1-more"].map(SecretString::from);
        let redactor = Redactor::of(&secrets);
        assert_eq!(
            redactor.word("k%2Fy1-more k/y1".to_owned()),
            "[redacted] [redacted]"
        );
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

    proptest! {
        #[test]
        fn a_secret_is_taken_out_of_every_document_that_repeats_it(secret in "[ -~ü👩]{4,12}", around in "[%&+u0-9;a ]{0,6}") {
            let text = format!("{around}{secret}{around}");
            let json = serde_json::to_string(&serde_json::json!({ "error": text })).unwrap();
            let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("q", &text).finish();
            let mut url = reqwest::Url::parse("http://127.0.0.1/").unwrap();
            url.query_pairs_mut().append_pair("q", &text);
            for body in [text, json, form, url.to_string()] {
                let redacted = redacted(&secret, 500, &body);
                prop_assert!(redacted.contains(REDACTED), "{} in {}", secret, body);
            }
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
    }
}
