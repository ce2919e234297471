//! Who may come in, and what is needed to decide it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::http::{HeaderMap, request::Parts};
use queue::Queue;

use super::{
    access::ConsoleTokens,
    network::{Client, Peer},
    role::ConsoleRole,
};
use crate::config::{ConsoleConfig, Network, SecureCookie};

/// What `[console]` says of who may come in.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Without any, everything is open to who can reach the console.
    pub tokens: ConsoleTokens,
    /// Whether viewers see xids, rows and documents.
    pub viewer_sees_people: bool,
    /// Names of the console beside its own.
    pub allowed_hosts: Vec<String>,
    /// Whether cookies are for TLS only.
    pub secure_cookie: SecureCookie,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// After which a session ends without a request.
    pub session_idle: Duration,
    /// After which it ends.
    pub session_lifetime: Duration,
}

impl Rules {
    /// Of an open console.
    pub fn open() -> Self {
        Self {
            tokens: ConsoleTokens::default(),
            viewer_sees_people: false,
            allowed_hosts: Vec::new(),
            secure_cookie: SecureCookie::Auto,
            trusted_proxies: Vec::new(),
            session_idle: Duration::from_secs(3600),
            session_lifetime: Duration::from_secs(12 * 3600),
        }
    }
}

impl From<&ConsoleConfig> for Rules {
    fn from(config: &ConsoleConfig) -> Self {
        Self {
            tokens: ConsoleTokens {
                operator: config.operator_token.clone(),
                viewer: config.viewer_token.clone(),
            },
            viewer_sees_people: config.viewer_sees_people,
            allowed_hosts: config.allowed_hosts.clone().unwrap_or_default(),
            secure_cookie: config.secure_cookie,
            trusted_proxies: config.trusted_proxies.clone().unwrap_or_default(),
            session_idle: config.session_idle,
            session_lifetime: config.session_lifetime,
        }
    }
}

/// The rules, and what is needed to keep to them.
pub struct Guard {
    /// What the configuration says.
    pub rules: Rules,
    /// Where sessions and wrong tokens are known; empty until Redis answers.
    pub queue: OnceLock<Queue>,
    /// This process's own: from it the forms of an open console get their secret.
    pub(super) secret: [u8; 32],
}

impl Guard {
    /// With these rules.
    pub fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            rules,
            queue: OnceLock::new(),
            secret: rand::random(),
        })
    }

    /// Whether the browser reached us by TLS, as far as we can know. Who says so of a connection without it gets
    /// a cookie that the own browser does not send back, and harms nobody else.
    pub(super) fn is_tls(&self, headers: &HeaderMap) -> bool {
        match self.rules.secure_cookie {
            SecureCookie::Always => true,
            SecureCookie::Never => false,
            SecureCookie::Auto => headers
                .get("x-forwarded-proto")
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.split(',').next())
                .is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https")),
        }
    }

    /// Where a request comes from.
    pub(super) fn client(&self, request: &Parts) -> Client {
        let peer = request.extensions.get::<Peer>().copied();
        Client::of(peer, &request.headers, &self.rules.trusted_proxies)
    }

    pub(super) fn sees_people(&self, role: ConsoleRole) -> bool {
        role == ConsoleRole::Operator || self.rules.viewer_sees_people
    }
}
