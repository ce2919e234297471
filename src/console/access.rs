//! The console's tokens. Without any, everything is open: the default address is the loopback one.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

/// `console.operator_token` and `console.viewer_token`.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// May look and act.
    pub operator: Option<SecretString>,
    /// May look.
    pub viewer: Option<SecretString>,
}

impl Tokens {
    /// Whether a request with these headers may look: no token is configured, or it carries
    /// `Authorization: Bearer` with one of them. The comparison's time does not depend on where two tokens
    /// of one length differ.
    pub fn may_look(&self, headers: &HeaderMap) -> bool {
        if self.operator.is_none() && self.viewer.is_none() {
            return true;
        }
        let Some(given) = bearer(headers) else {
            return false;
        };
        [&self.operator, &self.viewer]
            .into_iter()
            .flatten()
            .fold(Choice::from(0), |admitted, token| {
                admitted | token.expose_secret().as_bytes().ct_eq(given)
            })
            .into()
    }
}

/// The token of `Authorization: Bearer TOKEN`; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(authorization: Option<&str>) -> HeaderMap {
        authorization
            .map(|value| (AUTHORIZATION, value.parse().unwrap()))
            .into_iter()
            .collect()
    }

    #[test]
    fn without_tokens_everyone_may_look() {
        assert!(Tokens::default().may_look(&headers(None)));
    }

    #[test]
    fn with_tokens_only_a_bearer_of_one_may_look() {
        let tokens = Tokens {
            operator: Some("open-sesame".into()),
            viewer: Some("just-looking".into()),
        };
        for (authorization, expected) in [
            (Some("Bearer open-sesame"), true),
            (Some("bearer just-looking"), true),
            (Some("Bearer  just-looking "), true),
            (Some("Bearer open-sesam"), false),
            (Some("Bearer open-sesame2"), false),
            (Some("Bearer "), false),
            (Some("Bearer"), false),
            (Some("Basic open-sesame"), false),
            (Some("open-sesame"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(
                tokens.may_look(&headers(authorization)),
                expected,
                "{authorization:?}"
            );
        }
    }

    #[test]
    fn an_empty_token_admits_nobody() {
        let tokens = Tokens {
            operator: Some("".into()),
            viewer: None,
        };
        assert!(!tokens.may_look(&headers(Some("Bearer "))));
        assert!(!tokens.may_look(&headers(None)));
    }
}
