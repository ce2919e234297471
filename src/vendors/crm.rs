//! The CRM (QS): one contact a call, under a bearer token.

mod token;

use std::time::{Duration, Instant};

use bytes::Bytes;
use jobs::reply::Reply;
use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use secrecy::SecretString;
use serde::Serialize;

use self::token::TokenSource;
use super::http::{ClientError, ClientSettings, Http, present, secret_header};
use crate::config::{CrmAuth, CrmMatching, CrmOperation, CrmOptions};

/// The operation's address, behind the base.
const fn path(operation: CrmOperation) -> &'static str {
    match operation {
        CrmOperation::Update => "processes/updatecontact",
        CrmOperation::Upsert => "processes/upsertcontact",
    }
}

/// What a look at the CRM found, without writing anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrmCheck {
    /// The credentials were exchanged for a token.
    Authenticated {
        /// How long the CRM says that it is good, where it says so.
        expires_in: Option<Duration>,
    },
    /// There is no token to obtain (`crm.auth` is `bearer` or `none`), but the CRM answers; whether it
    /// takes the credentials shows at the first update.
    Reached {
        /// HTTP status of a GET of the operation's address; 405 is what ASP.NET says to that.
        status: u16,
    },
    /// It does not work; the reply says why.
    Failed(Reply),
}

/// A client for one CRM.
#[derive(Debug)]
pub struct CrmClient {
    http: Http,
    authorization: Authorization,
    operation: CrmOperation,
    matching: [(&'static str, String); 3],
}

#[derive(Debug)]
enum Authorization {
    Password(TokenSource),
    Bearer(HeaderValue),
    None,
}

impl CrmClient {
    /// A client for `url` (`crm.url`, e.g. `https://HOST/crms/api`).
    ///
    /// # Errors
    /// A [`ClientError`] that names the key to mend.
    pub fn new(
        url: &str,
        options: CrmOptions,
        settings: ClientSettings,
    ) -> Result<Self, ClientError> {
        let secrets: &[&SecretString] = match &options.auth {
            CrmAuth::Password { password, .. } => &[password],
            CrmAuth::Bearer(token) => &[token],
            CrmAuth::None => &[],
        };
        let http = Http::new("crm", "crm.url", url, secrets, settings)?;
        let authorization = match options.auth {
            CrmAuth::Password { username, password } => {
                present("crm.username", &username)?;
                present("crm.password", &password)?;
                Authorization::Password(TokenSource::new(username, password))
            }
            CrmAuth::Bearer(token) => {
                Authorization::Bearer(secret_header("crm.password", "Bearer ", &token)?)
            }
            CrmAuth::None => Authorization::None,
        };
        let CrmMatching {
            min_confirmed_score,
            min_name_similarity,
            enabled,
        } = options.matching;
        Ok(Self {
            http,
            authorization,
            operation: options.operation,
            matching: [
                (
                    "contactMatchingMinConfirmedScore",
                    min_confirmed_score.to_string(),
                ),
                (
                    "contactMatchingMinNameSimilarity",
                    min_name_similarity.to_string(),
                ),
                ("contactMatchingEnabled", enabled.to_string()),
            ],
        })
    }

    /// Sends one `ContactUpsertDto` as the configured operation.
    ///
    /// A token that the CRM refuses (401) is replaced once and the call repeated once. Credentials that
    /// the token endpoint refuses come back as a 401; where no token could be had for another reason
    /// the contact was not sent, and the reply is `Unreachable`, or the endpoint's own 429, 502, 503 or 504.
    pub async fn update(&self, contact: &impl Serialize, deadline: Option<Instant>) -> Reply {
        let body = match serde_json::to_vec(contact) {
            Ok(body) => Bytes::from(body),
            Err(error) => {
                let cause = format!("the contact could not be written as JSON: {error}");
                return Reply::unreachable(cause);
            }
        };
        match &self.authorization {
            Authorization::None => self.post(body, None, deadline).await,
            Authorization::Bearer(header) => self.post(body, Some(header), deadline).await,
            Authorization::Password(tokens) => self.post_with_token(tokens, body, deadline).await,
        }
    }

    /// Obtains a fresh token, or with nothing to obtain reads the operation's address. Writes nothing.
    pub async fn check(&self, deadline: Option<Instant>) -> CrmCheck {
        let header = match &self.authorization {
            Authorization::Password(tokens) => {
                return match tokens.request(&self.http, deadline).await {
                    Ok(grant) => CrmCheck::Authenticated {
                        expires_in: grant.expires_in,
                    },
                    Err(reply) => CrmCheck::Failed(reply),
                };
            }
            Authorization::Bearer(header) => Some(header),
            Authorization::None => None,
        };
        let mut request = self.http.request(Method::GET, path(self.operation));
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header.clone());
        }
        match self.http.call("check", request, deadline).await.reply {
            Reply::Answer(answer) if answer.status < 500 && !matches!(answer.status, 401 | 403) => {
                CrmCheck::Reached {
                    status: answer.status,
                }
            }
            reply => CrmCheck::Failed(reply),
        }
    }

    /// Whether `crm.url` sends data and credentials over a network in the clear.
    pub fn is_plaintext_remote(&self) -> bool {
        self.http.is_plaintext_remote()
    }

    async fn post_with_token(
        &self,
        tokens: &TokenSource,
        body: Bytes,
        deadline: Option<Instant>,
    ) -> Reply {
        let token = match tokens.get(&self.http, None, deadline).await {
            Ok(token) => token,
            Err(reply) => return reply,
        };
        let reply = self.post(body.clone(), Some(&token.header), deadline).await;
        let refused = matches!(&reply, Reply::Answer(answer) if answer.status == 401);
        if !refused {
            return token.redactor.reply(reply);
        }
        match tokens.get(&self.http, Some(&token), deadline).await {
            Ok(token) => {
                let reply = self.post(body, Some(&token.header), deadline).await;
                token.redactor.reply(reply)
            }
            Err(reply) => reply,
        }
    }

    async fn post(
        &self,
        body: Bytes,
        authorization: Option<&HeaderValue>,
        deadline: Option<Instant>,
    ) -> Reply {
        let mut request = self
            .http
            .request(Method::POST, path(self.operation))
            .query(&self.matching)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let operation = self.operation.as_str();
        self.http.call(operation, request, deadline).await.reply
    }
}

#[cfg(test)]
mod tests;
