//! Certificates and keys in PEM files.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::client::client_builder;

/// No bundle of certificates is larger.
const MAX_BYTES: u64 = 16 << 20;

/// Why a PEM file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It is missing, or this user may not read it.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// It holds something else than expected.
    #[error("{} {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong; completes "the file …".
        problem: &'static str,
    },
}

impl PemError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Unreadable { path, .. } | Self::Content { path, .. } => path,
        }
    }
}

/// A client's certificate with its key: what a server that asks for one is shown.
#[derive(Clone)]
pub struct ClientIdentity {
    /// The certificate and its chain, as PEM.
    pub certificate: Vec<u8>,
    /// The private key, as PEM.
    pub key: Vec<u8>,
}

impl ClientIdentity {
    /// Reads both files and makes sure that they belong together.
    ///
    /// # Errors
    /// A [`PemError`] that names the file to correct.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, PemError> {
        let content = |path: &Path, problem| PemError::Content {
            path: path.to_owned(),
            problem,
        };
        let identity = Self {
            certificate: contents(certificate)?,
            key: contents(key)?,
        };
        let chain = parsed(&identity.certificate, certificate)?;
        let parsed_key = PrivateKeyDer::from_pem_slice(&identity.key).map_err(|_| {
            let is_encrypted = identity
                .key
                .windows(ENCRYPTED.len())
                .any(|bytes| bytes == ENCRYPTED);
            content(
                key,
                match is_encrypted {
                    true => "holds an encrypted private key: decrypt it, e.g. with `openssl pkey`",
                    false => "holds no private key in PEM form",
                },
            )
        })?;
        let config = client_builder(RootCertStore::empty())
            .and_then(|config| config.with_client_auth_cert(chain, parsed_key));
        match config {
            Ok(_) => Ok(identity),
            Err(rustls::Error::InconsistentKeys(_)) => Err(content(
                key,
                "holds a private key that does not belong to the certificate",
            )),
            Err(_) => Err(content(key, "holds a private key of an unsupported kind")),
        }
    }
}

const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// Neither is shown: one is a secret, the other is long.
impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// The certificates of a file; at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    parsed(&contents(path)?, path)
}

fn parsed(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let problem = |problem| PemError::Content {
        path: path.to_owned(),
        problem,
    };
    let mut is_damaged = false;
    // A bundle with one damaged block still names the other authorities.
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .filter_map(|certificate| certificate.inspect_err(|_| is_damaged = true).ok())
        .collect();
    match certificates.is_empty() {
        false => Ok(certificates),
        true if is_damaged => Err(problem("holds a damaged PEM block")),
        true => Err(problem("holds no certificate in PEM form")),
    }
}

/// The file's bytes without the byte order mark that some editors write: behind one, the first block is not seen.
fn contents(path: &Path) -> Result<Vec<u8>, PemError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes))
        .map_err(|cause| PemError::Unreadable {
            path: path.to_owned(),
            cause,
        })?;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(bytes)
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tempfile::TempDir;

    use super::*;

    /// A folder with `name.pem` and `name.key` of a new certificate for each name.
    fn folder(names: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let CertifiedKey { cert, signing_key } =
                generate_simple_self_signed([(*name).to_owned()]).unwrap();
            let write = |ending: &str, text: String| {
                std::fs::write(folder.path().join(format!("{name}.{ending}")), text).unwrap();
            };
            write("pem", cert.pem());
            write("key", signing_key.serialize_pem());
        }
        folder
    }

    #[test]
    fn certificates_are_read_behind_a_byte_order_mark_and_with_either_line_end() {
        let folder = folder(&["a", "b"]);
        let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let both = format!("{}{}", text("a.pem"), text("b.pem"));
        let bundle = folder.path().join("bundle");
        for text in [
            both.clone(),
            format!("\u{feff}{both}"),
            both.replace('\n', "\r\n"),
            format!("\u{feff}# our authority\r\n{}", both.replace('\n', "\r\n")),
        ] {
            std::fs::write(&bundle, text).unwrap();
            assert_eq!(certificates(&bundle).unwrap().len(), 2);
        }
    }

    #[test]
    fn a_file_without_certificates_is_refused_with_its_name() {
        let folder = folder(&["a"]);
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("empty"), "").unwrap();
        std::fs::write(path("cut"), "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
        for (name, says) in [
            ("missing", "No such file"),
            ("empty", "holds no certificate in PEM form"),
            ("a.key", "holds no certificate in PEM form"),
            ("cut", "holds a damaged PEM block"),
        ] {
            let error = certificates(&path(name)).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_key_must_belong_to_its_certificate() {
        let folder = folder(&["a", "b"]);
        let path = |name: &str| folder.path().join(name);
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        std::fs::write(path("encrypted"), encrypted).unwrap();
        assert!(ClientIdentity::read(&path("a.pem"), &path("a.key")).is_ok());
        for (certificate, key, says) in [
            (
                "a.pem",
                "b.key",
                "b.key holds a private key that does not belong",
            ),
            ("a.pem", "a.pem", "a.pem holds no private key"),
            (
                "a.pem",
                "encrypted",
                "encrypted holds an encrypted private key",
            ),
            ("a.key", "a.key", "a.key holds no certificate"),
            ("a.pem", "missing", "missing: No such file"),
        ] {
            let error = ClientIdentity::read(&path(certificate), &path(key)).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
