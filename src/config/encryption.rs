//! `[encryption]`: under which keys payloads are sealed in Redis.

use base64::{Engine, alphabet, engine};
use secrecy::{ExposeSecret, SecretString};

use super::{
    key::{secret, unnamed_secret},
    reader::Reader,
    section::section,
};

section! {
    /// Encryption at rest of what Redis holds of people: rows, what was sent of them, edited values. The names of keys,
    /// with xids and changeIds in them, stay readable, and so do the vendors' answers in timelines and dead letters.
    /// Every process of the fleet needs the same keys.
    EncryptionConfig at "encryption" {
        /// Payloads are sealed under this key: 32 bytes as base64 or hexadecimal. `alumniq-relay encryption key`
        /// makes one. Without it they stand in Redis as they came.
        key: Option<SecretString> = secret("ALUMNIQ_RELAY_KEY"),
        /// Keys that opened payloads before, separated by commas: what they sealed can still be read. Remove them
        /// when `alumniq-relay encryption rotate` has sealed everything under `key`.
        old_keys: Option<SecretString> = unnamed_secret(),
    }
}

/// How long a key is.
const KEY_BYTES: usize = 32;

/// The keys themselves. No `Debug`, which would show them.
pub struct EncryptionKeys {
    /// `encryption.key`; `None`: nothing is sealed.
    pub current: Option<[u8; KEY_BYTES]>,
    /// `encryption.old_keys`, in their order.
    pub old: Vec<[u8; KEY_BYTES]>,
}

/// What is wrong with the text of a key; it is never quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum NoKey {
    #[error("is neither base64 nor hexadecimal")]
    Text,
    #[error("has {0} bytes, but a key has {KEY_BYTES}")]
    Length(usize),
}

/// Both alphabets of base64, padded or not: people copy keys from many tools.
const STANDARD: engine::GeneralPurpose = lenient(&alphabet::STANDARD);
const URL_SAFE: engine::GeneralPurpose = lenient(&alphabet::URL_SAFE);

const fn lenient(alphabet: &alphabet::Alphabet) -> engine::GeneralPurpose {
    let padding = engine::DecodePaddingMode::Indifferent;
    let config = engine::GeneralPurposeConfig::new().with_decode_padding_mode(padding);
    engine::GeneralPurpose::new(alphabet, config)
}

impl EncryptionConfig {
    /// The keys. Those that cannot be read are left out: a loaded configuration has none.
    pub fn keys(&self) -> EncryptionKeys {
        let key = self.key.as_ref();
        EncryptionKeys {
            current: key.and_then(|key| read(key.expose_secret()).ok()),
            old: self.old().filter_map(|(_, key)| key.ok()).collect(),
        }
    }

    /// The old keys with their number, from 1.
    fn old(&self) -> impl Iterator<Item = (usize, Result<[u8; KEY_BYTES], NoKey>)> {
        let keys = self.old_keys.iter();
        let keys = keys.flat_map(|keys| keys.expose_secret().split(','));
        keys.map(|key| read(key.trim()))
            .enumerate()
            .map(|(n, key)| (n + 1, key))
    }
}

/// Refuses what is no key.
pub(super) fn check(reader: &mut Reader, config: &EncryptionConfig) {
    const HELP: &str = "make one with `alumniq-relay encryption key`";
    if let Some(Err(wrong)) = config.key.as_ref().map(|key| read(key.expose_secret())) {
        reader.refuse("encryption.key", &wrong.to_string(), HELP);
    }
    for (n, key) in config.old() {
        if let Err(wrong) = key {
            let rule = format!("holds a key, the {n}. of them, that {wrong}");
            reader.refuse(
                "encryption.old_keys",
                &rule,
                "separate keys by commas, each as it stood in `encryption.key`",
            );
        }
    }
}

/// A key of 32 bytes has 64 hexadecimal digits, or 43 or 44 characters of base64: what has neither length is told in
/// bytes of the encoding that it seems to be.
fn read(text: &str) -> Result<[u8; KEY_BYTES], NoKey> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bytes = match text.len() {
        0 => return Err(NoKey::Length(0)),
        43 | 44 => decoded(text)?,
        _ if is_hex => hexadecimal(text).ok_or(NoKey::Text)?,
        _ => decoded(text)?,
    };
    let length = bytes.len();
    bytes.try_into().map_err(|_| NoKey::Length(length))
}

fn decoded(text: &str) -> Result<Vec<u8>, NoKey> {
    let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
    decoded.map_err(|_| NoKey::Text)
}

/// Of hexadecimal digits; `None`: one has no fellow.
fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_either_base64_and_from_hexadecimal() {
        let bytes: [u8; 32] = std::array::from_fn(|n| 255 - 7 * n as u8);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [
            STANDARD.encode(bytes),
            URL_SAFE.encode(bytes),
            STANDARD.encode(bytes).trim_end_matches('=').to_owned(),
            hex.to_uppercase(),
            hex,
        ] {
            assert_eq!(read(&text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_told_by_its_length_or_as_no_text_of_a_key() {
        for (text, wrong) in [
            ("", NoKey::Length(0)),
            ("00ff", NoKey::Length(2)),
            (&"0".repeat(63), NoKey::Text),
            (&"0".repeat(66), NoKey::Length(33)),
            (&STANDARD.encode([1; 31]), NoKey::Length(31)),
            (&STANDARD.encode([1; 33]), NoKey::Length(33)),
            ("correct horse battery staple", NoKey::Text),
            (&"ä".repeat(22), NoKey::Text),
        ] {
            assert_eq!(read(text), Err(wrong), "{text}");
        }
    }
}
