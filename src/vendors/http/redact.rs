//! Takes a client's secrets out of whatever a vendor or the transport says: AlumnIQ's key travels in
//! the query, and error pages like to repeat the request.

use std::fmt;

use jobs::reply::Reply;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

/// What stands in a secret's place.
const REDACTED: &str = "[redacted]";

/// Something shorter hides nothing, and taking it out would maim the text.
const SHORTEST: usize = 4;

/// A 2xx body is data: there only a text is taken out that is too long to stand in a row by chance.
const SHORTEST_IN_DATA: usize = 12;

/// The spellings of a client's secrets, longest first.
#[derive(Clone, Default)]
pub struct Redactor(Vec<SecretString>);

impl Redactor {
    /// Knows each secret as it is, as a form or a URL writes it, and as JSON writes it.
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut spellings: Vec<String> = secrets
            .into_iter()
            .map(ExposeSecret::expose_secret)
            .filter(|secret| secret.len() >= SHORTEST)
            .flat_map(spellings)
            .collect();
        spellings.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        spellings.dedup();
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
            Reply::Unreachable { cause } => Reply::Unreachable {
                cause: self.text(cause, SHORTEST),
            },
            Reply::Lost { cause } => Reply::Lost {
                cause: self.text(cause, SHORTEST),
            },
        }
    }

    fn text(&self, text: String, shortest: usize) -> String {
        self.0
            .iter()
            .map(ExposeSecret::expose_secret)
            .filter(|spelling| spelling.len() >= shortest)
            .fold(text, |text, spelling| {
                if text.contains(spelling) {
                    text.replace(spelling, REDACTED)
                } else {
                    text
                }
            })
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

fn spellings(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned()];
    if let Ok(mut url) = Url::parse("http://localhost/") {
        url.query_pairs_mut().append_key_only(secret);
        let form = url.query().unwrap_or_default().to_owned();
        all.push(form.replace('+', "%20"));
        all.push(form);
    }
    let json = serde_json::Value::from(secret).to_string();
    all.push(json.trim_matches('"').to_owned());
    all
}

#[cfg(test)]
mod tests {
    use jobs::reply::Answer;

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
            "k/y \\\"1+2",
        ] {
            assert_eq!(redacted(secret, 500, &format!("<{echo}>")), "<[redacted]>");
        }
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
}
