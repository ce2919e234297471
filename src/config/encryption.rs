//! `[encryption]`: not built yet, and said so instead of leaving payloads readable in silence.

use secrecy::SecretString;

use super::{
    key::{secret, section},
    reader::Reader,
};

section! {
    /// Encryption of payloads in Redis. This version does not offer it and refuses to start with a key,
    /// so that nobody takes data for encrypted that is not.
    EncryptionConfig at "encryption" {
        /// A 32-byte key. Refused by this version.
        key: Option<SecretString> = secret("ALUMNIQ_RELAY_KEY"),
    }
}

/// Refuses a key.
pub(super) fn check(reader: &mut Reader, config: &EncryptionConfig) {
    if config.key.is_some() {
        let finding = reader
            .about("encryption.key", "is set, but this version cannot encrypt payloads")
            .help(
                "remove it and unset ALUMNIQ_RELAY_KEY; keep Redis private meanwhile: payloads stand \
                 in it as they came"
                    .to_owned(),
            );
        reader.problem(finding);
    }
}
