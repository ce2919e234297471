//! Signatures by Standard Webhooks: HMAC-SHA256 over id, time and body.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use crate::vendors::http::ClientError;

const PREFIX: &str = "whsec_";

/// In bytes, as the standard has it.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The key that receivers check signatures with.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

impl SigningKey {
    /// Reads `whsec_<base64>`.
    ///
    /// # Errors
    /// A [`ClientError`] that says what is wrong and does not quote the secret.
    pub fn parse(secret: &SecretString) -> Result<Self, ClientError> {
        let bytes = secret
            .expose_secret()
            .strip_prefix(PREFIX)
            .and_then(|encoded| BASE64_STANDARD.decode(encoded).ok())
            .filter(|bytes| LENGTHS.contains(&bytes.len()))
            .ok_or(ClientError::Secret {
                key: "notify.secret",
                problem: "is no signing secret: it must be whsec_ and the base64 of 24 to 64 bytes, e.g. \
                          \"whsec_$(head -c 32 /dev/urandom | base64)\"",
            })?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: &str, body: &str) -> String {
        let signed = format!("{id}.{timestamp}.{body}");
        let tag = hmac::sign(&self.0, signed.as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(tag))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the standard's reference libraries test themselves with.
    #[test]
    fn the_signature_is_the_one_of_the_standards_own_example() {
        let key = SigningKey::parse(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
        let signature = key.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_signing_secret_is_refused_without_quoting_it() {
        for secret in [
            "hunter2",
            "whsec_hunter2",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_aHVudGVyMg==",
            "whsec_",
        ] {
            let error = SigningKey::parse(&secret.into()).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(
                shown.starts_with("`notify.secret` is no signing secret"),
                "{shown}"
            );
            assert!(
                !shown.contains("hunter2") && !shown.contains("aHVu"),
                "{shown}"
            );
        }
    }
}
