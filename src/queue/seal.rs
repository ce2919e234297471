//! Encryption at rest of what changes say about people: XChaCha20-Poly1305 under keys that can rotate.
//!
//! What is sealed is bound to its place: the name of its Redis key is authenticated with it, so that a payload that
//! somebody moves to another change is not opened there. Names of keys, with xids and changeIds in them, stay readable.

use std::{collections::BTreeSet, fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use ring::{digest, hmac};

/// What a sealed text begins with. What is sealed is JSON, which never begins so.
const MARK: &str = "sealed:";

const NONCE_BYTES: usize = 24;

/// How many bytes of a key's digest name it: enough to tell a school's few keys apart.
const ID_BYTES: usize = 4;

/// How many bytes of a row's digest are kept: two contents of one change are hardly ever taken for one.
const DIGEST_BYTES: usize = 8;

/// How long a key is.
pub const KEY_BYTES: usize = 32;

/// Why a payload cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Its key is none of this process's.
    #[error(
        "it is encrypted under the key {0}, which is neither encryption.key nor one of encryption.old_keys here"
    )]
    NoKey(String),
    /// It was changed, cut off, or put here from elsewhere.
    #[error("it was altered in Redis, or belongs elsewhere")]
    Broken,
}

/// The public name of a key: eight hexadecimal digits of its digest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    fn of(key: &[u8; KEY_BYTES]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"alumniq-relay key id\0");
        context.update(key);
        let digest = context.finish();
        let hex = digest.as_ref().iter().take(ID_BYTES);
        Self(hex.map(|byte| format!("{byte:02x}")).collect())
    }

    /// As it stands in Redis.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone)]
struct Key {
    id: KeyId,
    cipher: XChaCha20Poly1305,
    digests: hmac::Key,
}

impl Key {
    fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self {
            id: KeyId::of(key),
            cipher: XChaCha20Poly1305::new(key.into()),
            digests: digests(key),
        }
    }
}

/// The keys of a process: the one that it seals with, and those that it can open. Clones share them.
#[derive(Clone, Default)]
pub struct Seals(Arc<Keys>);

#[derive(Default)]
struct Keys {
    current: Option<Key>,
    old: Vec<Key>,
}

/// Never a key.
impl fmt::Debug for Seals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seals")
            .field("current", &self.current())
            .field("known", &self.known())
            .finish()
    }
}

impl Seals {
    /// Seals with `current`, or not at all without one; opens what was sealed with any of them.
    pub fn new(current: Option<&[u8; KEY_BYTES]>, old: &[[u8; KEY_BYTES]]) -> Self {
        Self(Arc::new(Keys {
            current: current.map(Key::new),
            old: old.iter().map(Key::new).collect(),
        }))
    }

    /// The key that new payloads are sealed with; `None`: they are written as they are.
    pub fn current(&self) -> Option<&KeyId> {
        self.0.current.as_ref().map(|key| &key.id)
    }

    /// Every key that can be opened.
    pub fn known(&self) -> BTreeSet<&KeyId> {
        let keys = self.0.current.iter().chain(&self.0.old);
        keys.map(|key| &key.id).collect()
    }

    /// The known keys as scripts take them: each with a blank behind it.
    pub(super) fn listed(&self) -> String {
        self.known()
            .into_iter()
            .map(|id| format!("{id} "))
            .collect()
    }

    /// Whether a payload under the key `id` can be opened.
    pub fn knows(&self, id: &str) -> bool {
        self.key(id).is_some()
    }

    /// Whether `stored` is as [`Seals::seal`] would write it now.
    pub fn is_current(&self, stored: &str) -> bool {
        key_id(stored) == self.current().map(KeyId::as_str)
    }

    /// `plain`, sealed for the place `aad`; `plain` itself where there is no key. `plain` is JSON.
    pub fn seal(&self, aad: &str, plain: &str) -> String {
        let Some(Key { id, cipher, .. }) = &self.0.current else {
            return plain.to_owned();
        };
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let message = Payload {
            msg: plain.as_bytes(),
            aad: aad.as_bytes(),
        };
        #[expect(
            clippy::expect_used,
            reason = "it fails for messages beyond 256 GiB only"
        )]
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), message)
            .expect("no payload has 256 GiB");
        let bytes = [nonce.as_slice(), &sealed].concat();
        format!("{MARK}{id}:{}", BASE64_STANDARD_NO_PAD.encode(bytes))
    }

    /// What was sealed for the place `aad`. What was never sealed is given back as it is: it was written before
    /// there was a key.
    ///
    /// # Errors
    /// Its key is not known here, or it is not what was sealed for this place.
    pub fn open(&self, aad: &str, stored: &str) -> Result<String, SealError> {
        let Some(sealed) = stored.strip_prefix(MARK) else {
            return Ok(stored.to_owned());
        };
        let (id, text) = sealed.split_once(':').ok_or(SealError::Broken)?;
        let key = self
            .key(id)
            .ok_or_else(|| SealError::NoKey(shown(id).to_owned()))?;
        let bytes = BASE64_STANDARD_NO_PAD
            .decode(text)
            .map_err(|_| SealError::Broken)?;
        let (nonce, sealed) = bytes
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SealError::Broken)?;
        let message = Payload {
            msg: sealed,
            aad: aad.as_bytes(),
        };
        let plain = key
            .cipher
            .decrypt(&XNonce::from(*nonce), message)
            .map_err(|_| SealError::Broken)?;
        String::from_utf8(plain).map_err(|_| SealError::Broken)
    }

    /// A digest of `content` at the place `aad` under each known key, the current one first: the key's name, then 16
    /// hexadecimal digits. Who lacks the keys can neither confirm a guess nor see that two places hold the same. Where
    /// there is no key, who can read Redis can confirm a guess of the whole content.
    pub(super) fn digests(&self, aad: &str, content: &[u8; 32]) -> Vec<String> {
        let keys = self.0.current.iter().chain(&self.0.old);
        let keyed = keys.map(|key| (key.id.as_str(), &key.digests));
        let plain = digests(&[0; KEY_BYTES]);
        let unkeyed = self.0.current.is_none().then_some(("00000000", &plain));
        unkeyed
            .into_iter()
            .chain(keyed)
            .map(|(id, key)| {
                let tag = hmac::sign(key, &[aad.as_bytes(), b"\0", content].concat());
                let hex = tag.as_ref().iter().take(DIGEST_BYTES);
                hex.fold(id.to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
            })
            .collect()
    }

    fn key(&self, id: &str) -> Option<&Key> {
        let mut keys = self.0.current.iter().chain(&self.0.old);
        keys.find(|key| key.id.as_str() == id)
    }
}

/// A key of its own for digests: one key serves one purpose.
fn digests(key: &[u8; KEY_BYTES]) -> hmac::Key {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let derived = hmac::sign(&key, b"alumniq-relay row digest\0");
    hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
}

/// The name of the key under which `stored` is sealed; `None`: it is not.
pub fn key_id(stored: &str) -> Option<&str> {
    let sealed = stored.strip_prefix(MARK)?;
    Some(sealed.split_once(':').map_or("", |(id, _)| shown(id)))
}

/// Only what can be a key's name is told: what stands in Redis may be anything.
fn shown(id: &str) -> &str {
    let is_id = id.len() == 2 * ID_BYTES && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { id } else { "" }
}

#[cfg(test)]
#[path = "seal/tests.rs"]
mod tests;
