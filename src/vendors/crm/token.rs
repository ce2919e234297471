//! The password grant's token: asked for once, used by all, replaced shortly before it expires or when
//! it is refused. Whoever needs one while it is being asked for waits for that answer, good or bad, so
//! that a slow or failing token endpoint sees one call and not one a contact.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use jobs::reply::{Answer, Reply};
use reqwest::{Method, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::Mutex,
    time::{Instant as Timer, timeout_at},
};

use crate::vendors::http::{Http, Redactor, lease_ended, secret_header};

/// A token is replaced this long before it expires, or after half of a shorter life.
const EARLY: Duration = Duration::from_secs(60);

/// Exchanges credentials for tokens.
#[derive(Debug)]
pub struct TokenSource {
    username: SecretString,
    password: SecretString,
    state: Mutex<State>,
    /// How many exchanges have failed, readable without waiting for the one under way.
    failures: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    last_failure: Option<Reply>,
    issued: u64,
}

/// A token in use.
#[derive(Debug, Clone)]
pub struct Token {
    /// `Bearer …`, hidden from `Debug`.
    pub header: HeaderValue,
    /// Takes the token out of replies.
    pub redactor: Redactor,
    serial: u64,
    replace_at: Option<Instant>,
}

/// What the token endpoint granted.
#[derive(Debug)]
pub struct Grant {
    /// How long the token is good, where the CRM says so.
    pub expires_in: Option<Duration>,
    token: SecretString,
    header: HeaderValue,
}

#[derive(Deserialize)]
struct GrantBody {
    access_token: String,
    #[serde(default)]
    expires_in: Value,
}

impl TokenSource {
    /// A source that has asked for nothing yet.
    pub fn new(username: SecretString, password: SecretString) -> Self {
        Self {
            username,
            password,
            state: Mutex::default(),
            failures: AtomicU64::new(0),
        }
    }

    /// A token other than `refused`; what could not be had comes back as the reply to the call that
    /// wanted it.
    pub async fn get(
        &self,
        http: &Http,
        refused: Option<&Token>,
        deadline: Option<Instant>,
    ) -> Result<Token, Reply> {
        let getting = self.get_shared(http, refused);
        match deadline {
            // Only this caller gives up here: had the exchange itself got the deadline, one short lease
            // would fail it for everyone who waits.
            Some(deadline) => timeout_at(Timer::from_std(deadline), getting)
                .await
                .unwrap_or_else(|_| Err(lease_ended())),
            None => getting.await,
        }
    }

    async fn get_shared(&self, http: &Http, refused: Option<&Token>) -> Result<Token, Reply> {
        let failures_before = self.failures.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let usable = |token: &&Token| {
            token.replace_at.is_none_or(|at| Instant::now() < at)
                && refused.is_none_or(|refused| refused.serial != token.serial)
        };
        if let Some(token) = state.token.as_ref().filter(usable) {
            return Ok(token.clone());
        }
        if self.failures.load(Ordering::Acquire) != failures_before
            && let Some(reply) = &state.last_failure
        {
            return Err(reply.clone());
        }
        match self.request(http, None).await {
            Ok(grant) => {
                state.issued += 1;
                let token = Token {
                    redactor: Redactor::of([&grant.token]),
                    header: grant.header,
                    serial: state.issued,
                    replace_at: grant
                        .expires_in
                        .and_then(|life| Instant::now().checked_add(life - EARLY.min(life / 2))),
                };
                state.token = Some(token.clone());
                Ok(token)
            }
            Err(reply) => {
                state.last_failure = Some(reply.clone());
                self.failures.fetch_add(1, Ordering::Release);
                Err(reply)
            }
        }
    }

    /// One exchange, at `POST token`.
    pub async fn request(&self, http: &Http, deadline: Option<Instant>) -> Result<Grant, Reply> {
        let form = [
            ("grant_type", "password"),
            ("username", self.username.expose_secret()),
            ("password", self.password.expose_secret()),
        ];
        let request = http.request(Method::POST, "token").form(&form);
        match http.call("token", request, deadline).await.reply {
            Reply::Answer(answer) => granted(answer),
            Reply::Lost { cause } => Err(no_token(&cause)),
            unreachable => Err(unreachable),
        }
    }
}

/// The token endpoint's answer, seen from the call that wants the token. Only statuses that mean the
/// same for both are handed on: the endpoint's 404 is a wrong address and not a contact without a match.
fn granted(answer: Answer) -> Result<Grant, Reply> {
    match answer.status {
        200..=299 => grant(&answer.body).ok_or_else(|| {
            no_token(&format!(
                "the token endpoint answered {}; check crm.url",
                shape(&answer.body)
            ))
        }),
        401 | 403 => Err(refused(answer)),
        400 if is_oauth_error(&answer.body) => Err(refused(answer)),
        429 | 502..=504 => Err(Reply::Answer(answer)),
        status => Err(no_token(&format!(
            "the token endpoint answered {status}; check crm.url"
        ))),
    }
}

fn refused(answer: Answer) -> Reply {
    Reply::Answer(Answer {
        status: 401,
        ..answer
    })
}

/// Credentials are refused in words (RFC 6749, 5.2); a web server's own 400 is about the address.
fn is_oauth_error(body: &str) -> bool {
    serde_json::from_str(body).is_ok_and(|body: Value| body.get("error").is_some())
}

/// Without a token the contact is not sent.
fn no_token(cause: &str) -> Reply {
    Reply::unreachable(format!("no token for the CRM: {cause}"))
}

/// What a good answer without a grant is.
fn shape(body: &str) -> &'static str {
    match body.trim_start_matches('\u{feff}').trim_start() {
        "" => "nothing (an empty body)",
        page if page.starts_with('<') => "an HTML page",
        _ => "something without a usable access_token",
    }
}

fn grant(body: &str) -> Option<Grant> {
    let body: GrantBody = serde_json::from_str(body).ok()?;
    let token = SecretString::from(body.access_token);
    Some(Grant {
        header: secret_header("access_token", "Bearer ", &token).ok()?,
        token,
        expires_in: seconds(&body.expires_in),
    })
}

/// A number of seconds, which ASP.NET writes as a number or as a string.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tokens_life_is_read_from_a_number_or_a_string() {
        for (value, life) in [
            (json!(3600), Some(3600)),
            (json!("3600"), Some(3600)),
            (json!(3600.0), Some(3600)),
            (json!(0), Some(0)),
            (json!(-1), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!(1e300), None),
            (json!("NaN"), None),
        ] {
            assert_eq!(seconds(&value), life.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn an_answer_of_the_token_endpoint_never_passes_for_one_about_a_contact() {
        for (status, body, becomes) in [
            (400, "{\"error\":\"invalid_grant\"}", Some(401)),
            (401, "", Some(401)),
            (403, "", Some(401)),
            (429, "", Some(429)),
            (400, "<html>Bad Request - Invalid Hostname", None),
            (400, "", None),
            (500, "", None),
            (520, "", None),
            (503, "<html>", Some(503)),
            (404, "", None),
            (302, "", None),
            (415, "", None),
            (200, "<html>log in</html>", None),
            (200, "1234", None),
            (200, "{\"access_token\":\"\"}", None),
            (200, "{\"access_token\":\"a\\nb\"}", None),
        ] {
            let reply = granted(Answer {
                status,
                retry_after: Some(Duration::from_secs(7)),
                body: body.to_owned(),
            })
            .unwrap_err();
            match (reply, becomes) {
                (Reply::Answer(answer), Some(becomes)) => {
                    assert_eq!(answer.status, becomes);
                    assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
                }
                (Reply::Unreachable { cause, .. }, None) => {
                    assert!(cause.contains("check crm.url"))
                }
                (reply, _) => panic!("{status}: {reply:?}"),
            }
        }
    }
}
