//! What ties a browser to a login: a random id in a cookie, and what is derived from it.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{digest, hmac};
use subtle::ConstantTimeEq;

/// Of the cookie; behind TLS with the prefix that binds it to this host and to TLS.
pub const COOKIE_NAME: &str = "alumniq_relay_session";

/// See [`COOKIE_NAME`].
pub const SECURE_COOKIE_NAME: &str = "__Host-alumniq_relay_session";

const BYTES: usize = 32;

/// What the cookie holds. Whoever knows it is the one who logged in, so it is neither stored nor logged: Redis has
/// its digest.
#[derive(Clone)]
pub struct SessionId(String);

impl SessionId {
    /// A new one.
    pub fn random() -> Self {
        let bytes: [u8; BYTES] = rand::random();
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The one that a browser sent. Behind TLS the plain name does not count: a page without TLS on a neighbouring
    /// host could have set it.
    pub fn of(headers: &HeaderMap, secure: bool) -> Option<Self> {
        let name = cookie_name(secure);
        let lines = headers.get_all(COOKIE).iter();
        let cookies = lines.filter_map(|line| line.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';'));
        let value = pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))?;
        let is_one = URL_SAFE_NO_PAD
            .decode(value)
            .is_ok_and(|bytes| bytes.len() == BYTES);
        is_one.then(|| Self(value.to_owned()))
    }

    /// What Redis knows it by.
    pub fn key(&self) -> String {
        hex(digest::digest(&digest::SHA256, self.0.as_bytes()).as_ref())
    }

    /// A token's digest that only somebody with this id can compare with.
    pub fn digest_of(&self, token: &str) -> String {
        self.derive(b"", &[b"token", token.as_bytes()])
    }

    /// What forms must carry. `secret` is the process's own where nobody logs in, for then anybody may choose an id.
    pub fn csrf(&self, secret: &[u8]) -> String {
        self.derive(secret, &[b"csrf"])
    }

    fn derive(&self, secret: &[u8], about: &[&[u8]]) -> String {
        let key = [self.0.as_bytes(), secret].concat();
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
        for part in about {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        URL_SAFE_NO_PAD.encode(context.sign())
    }

    /// `Set-Cookie`: until the browser is closed; how long it is good is Redis' business.
    pub fn cookie(&self, secure: bool) -> HeaderValue {
        set_cookie(&self.0, secure, "")
    }
}

/// `Set-Cookie` that takes the cookie away.
pub fn no_cookie(secure: bool) -> HeaderValue {
    set_cookie("", secure, "; Max-Age=0")
}

fn cookie_name(secure: bool) -> &'static str {
    if secure {
        SECURE_COOKIE_NAME
    } else {
        COOKIE_NAME
    }
}

fn set_cookie(value: &str, secure: bool, more: &str) -> HeaderValue {
    let name = cookie_name(secure);
    let tls = if secure { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{tls}{more}");
    // Base64 and our own words are fit for a header.
    HeaderValue::try_from(cookie).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Whether two secrets are the same; the time that it takes does not tell where they differ.
pub fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookie: &str) -> HeaderMap {
        [(COOKIE, cookie.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn a_cookie_comes_back_as_it_was_set_and_only_under_the_name_for_its_channel() {
        let id = SessionId::random();
        for secure in [false, true] {
            let set = id.cookie(secure);
            let set = set.to_str().unwrap();
            let flags: Vec<&str> = set.split("; ").skip(1).collect();
            let mut expected = vec!["Path=/", "HttpOnly", "SameSite=Strict"];
            expected.extend(secure.then_some("Secure"));
            assert_eq!(flags, expected);
            let headers = sent(&format!(
                "other=1; {}; more=2",
                set.split(';').next().unwrap()
            ));
            assert_eq!(SessionId::of(&headers, secure).unwrap().0, id.0);
            assert!(SessionId::of(&headers, !secure).is_none());
        }
    }

    #[test]
    fn what_is_no_id_of_ours_is_none() {
        let id = SessionId::random().0;
        for value in [
            "",
            "x",
            &id[1..],
            &format!("{id}A"),
            "*******************************************",
        ] {
            let headers = sent(&format!("{COOKIE_NAME}={value}"));
            assert!(SessionId::of(&headers, false).is_none(), "{value}");
        }
    }

    #[test]
    fn whatever_is_derived_differs_by_id_by_purpose_and_by_secret() {
        let (one, other) = (SessionId::random(), SessionId::random());
        let derived = [
            one.0.clone(),
            one.key(),
            one.csrf(b""),
            one.csrf(b"secret"),
            other.csrf(b""),
            one.digest_of("csrf"),
            one.digest_of("token"),
            other.digest_of("token"),
        ];
        for (index, value) in derived.iter().enumerate() {
            assert!(!derived[..index].contains(value), "{index}");
        }
        assert!(same(&one.csrf(b"x"), &SessionId(one.0.clone()).csrf(b"x")));
    }

    #[test]
    fn only_the_very_same_secret_is_the_same() {
        assert!(same("abc", "abc"));
        for other in ["", "abd", "ab", "abcd", "ABC"] {
            assert!(!same("abc", other), "{other}");
        }
    }
}
