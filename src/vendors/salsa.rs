//! Salsa Engage's supporter API. Bodies are whole envelopes, made and read by `jobs::salsa_upsert`.

use std::time::Instant;

use jobs::reply::Reply;
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderValue},
};
use secrecy::SecretString;
use serde_json::Value;

use super::http::{ClientError, ClientSettings, Http, secret_header};

/// Behind the host in every call. The vendor's page writes it with a double slash at one place; public
/// clients that work use single ones.
const ROOT: &str = "api/integration/ext/v1";

/// A client for one Salsa organisation. Every call counts against the token's limit of calls a minute.
#[derive(Debug)]
pub struct SalsaClient {
    http: Http,
    token: HeaderValue,
}

impl SalsaClient {
    /// A client for `url` (`salsa.url`, with or without the API's path) and `token` (`salsa.token`).
    ///
    /// # Errors
    /// A [`ClientError`] that names the key to mend.
    pub fn new(
        url: &str,
        token: SecretString,
        settings: ClientSettings,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            http: Http::new("salsa", "salsa.url", url, &[&token], settings)?.under(ROOT),
            token: secret_header("salsa.token", "", &token)?,
        })
    }

    /// `GET metrics`: the token's rate limit and the largest batch. Writes nothing.
    pub async fn metrics(&self, deadline: Option<Instant>) -> Reply {
        self.send("metrics", Method::GET, "metrics", None, deadline)
            .await
    }

    /// `POST supporters/search`.
    pub async fn search(&self, body: &Value, deadline: Option<Instant>) -> Reply {
        self.send(
            "search",
            Method::POST,
            "supporters/search",
            Some(body),
            deadline,
        )
        .await
    }

    /// `PUT supporters`: adds or updates; the outcomes stand per supporter in the answer.
    pub async fn put(&self, body: &Value, deadline: Option<Instant>) -> Reply {
        self.send("put", Method::PUT, "supporters", Some(body), deadline)
            .await
    }

    /// `DELETE supporters`, with a body. Cannot be undone.
    pub async fn delete(&self, body: &Value, deadline: Option<Instant>) -> Reply {
        self.send("delete", Method::DELETE, "supporters", Some(body), deadline)
            .await
    }

    /// Whether `salsa.url` sends data and the token over a network in the clear.
    pub fn is_plaintext_remote(&self) -> bool {
        self.http.is_plaintext_remote()
    }

    async fn send(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
        deadline: Option<Instant>,
    ) -> Reply {
        let mut request = self
            .http
            .request(method, path)
            .header("authToken", self.token.clone())
            .header(CONTENT_TYPE, "application/json");
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        self.http.call(operation, request, deadline).await.reply
    }
}

#[cfg(test)]
mod tests;
