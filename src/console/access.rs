//! The console's tokens. Without any, everything is open: the default address is the loopback one.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use super::role::ConsoleRole;

/// `console.operator_token` and `console.viewer_token`.
#[derive(Debug, Clone, Default)]
pub struct ConsoleTokens {
    /// May look and act.
    pub operator: Option<SecretString>,
    /// May look.
    pub viewer: Option<SecretString>,
}

/// What a request's `Authorization` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// No token is configured: everything is open to who can reach it.
    Open,
    /// The right token of this role.
    Bearer(ConsoleRole),
    /// A token that is none of ours.
    Wrong,
    /// No bearer token.
    None,
}

impl ConsoleTokens {
    /// Whether everything is open.
    pub fn is_open(&self) -> bool {
        self.operator.is_none() && self.viewer.is_none()
    }

    /// Whether a request with these headers may look.
    pub fn may_look(&self, headers: &HeaderMap) -> bool {
        matches!(self.access(headers), Access::Open | Access::Bearer(_))
    }

    /// What these headers give.
    pub fn access(&self, headers: &HeaderMap) -> Access {
        match bearer(headers) {
            _ if self.is_open() => Access::Open,
            None => Access::None,
            Some(given) => self.role(given).map_or(Access::Wrong, Access::Bearer),
        }
    }

    /// The role of a token. Both are always compared, and the comparison's time does not depend on where two
    /// tokens of one length differ.
    pub fn role(&self, given: &[u8]) -> Option<ConsoleRole> {
        let is = |token: &Option<SecretString>| {
            token.as_ref().map_or(Choice::from(0), |token| {
                token.expose_secret().as_bytes().ct_eq(given)
            })
        };
        let (operator, viewer) = (is(&self.operator), is(&self.viewer));
        match (given.is_empty(), bool::from(operator), bool::from(viewer)) {
            (true, ..) => None,
            (_, true, _) => Some(ConsoleRole::Operator),
            (_, _, true) => Some(ConsoleRole::Viewer),
            _ => None,
        }
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
        assert!(ConsoleTokens::default().may_look(&headers(None)));
    }

    #[test]
    fn with_tokens_only_a_bearer_of_one_may_look_and_the_token_is_the_role() {
        let tokens = ConsoleTokens {
            operator: Some("open-sesame".into()),
            viewer: Some("just-looking".into()),
        };
        for (authorization, expected) in [
            (
                Some("Bearer open-sesame"),
                Access::Bearer(ConsoleRole::Operator),
            ),
            (
                Some("bearer just-looking"),
                Access::Bearer(ConsoleRole::Viewer),
            ),
            (
                Some("Bearer  just-looking "),
                Access::Bearer(ConsoleRole::Viewer),
            ),
            (Some("Bearer open-sesam"), Access::Wrong),
            (Some("Bearer open-sesame2"), Access::Wrong),
            (Some("Bearer "), Access::None),
            (Some("Bearer"), Access::None),
            (Some("Basic open-sesame"), Access::None),
            (Some("open-sesame"), Access::None),
            (Some(""), Access::None),
            (None, Access::None),
        ] {
            let headers = headers(authorization);
            assert_eq!(tokens.access(&headers), expected, "{authorization:?}");
            let admitted = matches!(expected, Access::Bearer(_));
            assert_eq!(tokens.may_look(&headers), admitted, "{authorization:?}");
        }
    }

    #[test]
    fn an_empty_token_admits_nobody() {
        let tokens = ConsoleTokens {
            operator: Some("".into()),
            viewer: None,
        };
        assert!(!tokens.may_look(&headers(Some("Bearer "))));
        assert!(!tokens.may_look(&headers(None)));
    }
}
