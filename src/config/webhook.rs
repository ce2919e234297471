//! The operators' webhook as it is configured: its address, and the secret that notifications are signed with.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::url::{authority, is_loopback};

/// What a signing secret begins with, and how many bytes it has, as Standard Webhooks says.
const PREFIX: &str = "whsec_";
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Completes "`key` …"; quotes neither the address nor the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The text is no absolute URL with a host.
    #[error("is not a URL ({0}): write it like `https://school.example.edu/path`")]
    NotAUrl(String),
    /// Neither `https` nor `http`.
    #[error("is no web address: write it whole, with https:// (or http://)")]
    Scheme,
    /// `user:password@` in the URL.
    #[error("holds a user name or password: take them out, credentials have keys of their own")]
    Credentials,
    /// Not `whsec_` and base64, or too short or too long.
    #[error(
        "is no signing secret: it must be whsec_ and the base64 of 24 to 64 bytes, e.g. \"whsec_$(head -c 32 \
         /dev/urandom | base64)\""
    )]
    Secret,
}

/// A webhook's address, query included. `Debug` and errors do not show it.
#[derive(Clone)]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &SecretString) -> Result<Self, WebhookError> {
        let url = Url::parse(url.expose_secret())
            .map_err(|error| WebhookError::NotAUrl(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(WebhookError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebhookError::Credentials);
        }
        Ok(Self(url))
    }

    /// The address itself, for the client.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// Whether the address and what is told would cross a network in the clear.
    pub fn is_plaintext_remote(&self) -> bool {
        self.0.scheme() == "http" && !is_loopback(&self.0)
    }

    /// `host:port`: all of it that may be shown.
    pub fn authority(&self) -> String {
        authority(&self.0)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({})", self.authority())
    }
}

/// The bytes that notifications are signed with.
#[derive(Debug, Clone)]
pub struct SigningSecret(SecretSlice<u8>);

impl SigningSecret {
    /// Reads `whsec_<base64>`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(secret: &SecretString) -> Result<Self, WebhookError> {
        let bytes = secret
            .expose_secret()
            .strip_prefix(PREFIX)
            .and_then(|encoded| BASE64_STANDARD.decode(encoded).ok())
            .filter(|bytes| LENGTHS.contains(&bytes.len()))
            .ok_or(WebhookError::Secret)?;
        Ok(Self(bytes.into()))
    }

    /// The bytes, for the client.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_signing_secret_is_refused_without_quoting_it() {
        for secret in [
            "hunter2",
            "whsec_hunter2",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_aHVudGVyMg==",
            "whsec_",
        ] {
            let error = SigningSecret::parse(&secret.into()).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.starts_with("is no signing secret"), "{shown}");
            assert!(
                !shown.contains("hunter2") && !shown.contains("aHVu"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_wrong_address_is_refused_without_quoting_it() {
        for (text, says) in [
            ("hooks.slack.com/hunter2", "is not a URL"),
            ("ftp://hooks.slack.com/hunter2", "is no web address"),
            ("https://me:hunter2@hooks.slack.com", "holds a user name"),
            ("hunter2:x", "is no web address"),
            ("https://", "is not a URL"),
        ] {
            let error = WebhookUrl::parse(&text.into()).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.starts_with(says), "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn only_a_remote_address_in_the_clear_is_warned_of() {
        for (text, clear) in [
            ("https://h.example/x", false),
            ("http://127.0.0.1:9/x", false),
            ("http://localhost/x", false),
            ("http://h.example/x", true),
        ] {
            let url = WebhookUrl::parse(&text.into()).unwrap();
            assert_eq!(url.is_plaintext_remote(), clear, "{text}");
        }
    }
}
