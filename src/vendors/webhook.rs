//! The operators' webhook: one POST a notification, signed as Standard Webhooks has it
//! (<https://www.standardwebhooks.com>).
//!
//! Its address is a secret: whoever knows that of a Slack channel can write into it.

mod signing;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use jobs::reply::Reply;
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};

use self::signing::SigningKey;
use super::http::{ClientError, ClientSettings, Http, Timeouts};
use crate::config::{SigningSecret, WebhookUrl};

const URL: &str = "notify.webhook_url";

/// How long one call may take: nothing waits for it but the next notification.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An answer is a status and perhaps a word.
const MOST_READ: usize = 64 << 10;

/// A client for one receiver.
pub struct Webhook {
    http: Http,
    authority: String,
    key: Option<SigningKey>,
}

impl Webhook {
    /// A client for `url`, that signs with `secret` where there is one.
    ///
    /// # Errors
    /// TLS or the HTTP client cannot be set up on this machine.
    pub fn new(url: &WebhookUrl, secret: Option<&SigningSecret>) -> Result<Self, ClientError> {
        let settings = ClientSettings {
            timeouts: Timeouts::within(TIMEOUT),
            max_body: Some(MOST_READ),
            ..ClientSettings::default()
        };
        let authority = url.authority();
        let url = url.expose().clone();
        // What a receiver's page could repeat of the request: the address, or what of it is the secret.
        let mut secrets = vec![SecretString::from(url.as_str()), url.path().into()];
        secrets.extend(url.query().map(SecretString::from));
        let secrets: Vec<&SecretString> = secrets
            .iter()
            .filter(|secret| secret.expose_secret().len() >= SHORTEST_SECRET)
            .collect();
        Ok(Self {
            http: Http::at("webhook", URL, url, &secrets, settings)?,
            authority,
            key: secret.map(SigningKey::new),
        })
    }

    /// `host:port`: all of the address that may be shown.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Posts `body`. `id` is the same each time the same thing is told; `now` is signed with it.
    pub async fn post(
        &self,
        id: &str,
        now: Timestamp,
        body: String,
        deadline: Option<Instant>,
    ) -> Reply {
        let timestamp = now.as_second().to_string();
        let json = HeaderValue::from_static("application/json");
        let mut request = self
            .http
            .request(Method::POST, "")
            .header(CONTENT_TYPE, json)
            .header("webhook-id", id)
            .header("webhook-timestamp", &timestamp);
        if let Some(key) = &self.key {
            request = request.header("webhook-signature", key.sign(id, &timestamp, &body));
        }
        self.http
            .call("post", request.body(body), deadline)
            .await
            .reply
    }
}

/// A shorter path (`/hook`) is no secret, and taking it out would maim what the receiver says.
const SHORTEST_SECRET: usize = 12;

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}
