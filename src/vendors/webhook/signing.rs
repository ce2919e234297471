//! Signatures by Standard Webhooks: HMAC-SHA256 over id, time and body.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::hmac;

use crate::config::SigningSecret;

/// The key that receivers check signatures with.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

impl SigningKey {
    /// Of a configured secret.
    pub fn new(secret: &SigningSecret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose()))
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
        let secret = SigningSecret::parse(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
        let key = SigningKey::new(&secret.unwrap());
        let signature = key.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
