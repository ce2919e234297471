//! Whom a client trusts: the machine's certificate store, so that a school's own authority works, and where there is
//! none (a bare container) Mozilla's list, so that one file and libc are enough. A `ca_file` replaces both.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::{RootCertStore, pki_types::CertificateDer};

use super::pem::{self, PemError};

const FILE: &str = "SSL_CERT_FILE";
const DIRECTORY: &str = "SSL_CERT_DIR";

/// The certificate authorities that a client trusts.
#[derive(Debug, Clone)]
pub struct Roots {
    /// `None`: Mozilla's list.
    certificates: Option<Arc<[CertificateDer<'static>]>>,
}

/// `SSL_CERT_FILE` or `SSL_CERT_DIR` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {variable} {problem}")]
pub struct TrustVariableError {
    variable: &'static str,
    problem: String,
}

impl TrustVariableError {
    /// What to do about it.
    pub fn advice(&self) -> String {
        format!(
            "name what holds the authorities' certificates in PEM form, or unset {} to use the machine's store",
            self.variable
        )
    }
}

impl Roots {
    /// The machine's store, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead of it; else Mozilla's list.
    ///
    /// # Errors
    /// One of these variables cannot be used.
    pub fn of_machine() -> Result<Self, TrustVariableError> {
        let named = named(env::var_os(FILE), env::var_os(DIRECTORY))?;
        Ok(match named {
            Some(certificates) => Self::of(certificates),
            None => Self::of(rustls_native_certs::load_native_certs().certs),
        })
    }

    /// Looks at these values of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn check_variables<'a>(
        value: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<(), TrustVariableError> {
        let value = |name| value(name).map(OsString::from);
        named(value(FILE), value(DIRECTORY)).map(drop)
    }

    /// The authorities of this file alone.
    ///
    /// # Errors
    /// It cannot be read or holds no certificate.
    pub fn of_file(path: &Path) -> Result<Self, PemError> {
        Ok(Self::of(usable(path)?))
    }

    /// Mozilla's list, for a client that needs no trust: it speaks no TLS.
    pub fn built_in() -> Self {
        Self { certificates: None }
    }

    fn of(mut certificates: Vec<CertificateDer<'static>>) -> Self {
        certificates.retain(is_usable);
        Self {
            certificates: (!certificates.is_empty()).then(|| certificates.into()),
        }
    }

    /// As rustls takes them.
    pub fn store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        match &self.certificates {
            Some(certificates) => {
                store.add_parsable_certificates(certificates.iter().cloned());
            }
            None => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        store
    }

    /// As PEM, for a library that takes text; `None` is Mozilla's list.
    pub fn pem(&self) -> Option<Vec<u8>> {
        let certificates = self.certificates.as_ref()?;
        let mut pem = String::new();
        for certificate in certificates.iter() {
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            // Lines of base64 are ASCII: every 64th byte is the boundary of a character.
            let mut body = BASE64_STANDARD.encode(certificate);
            while !body.is_empty() {
                let rest = body.split_off(body.len().min(64));
                pem.push_str(&body);
                pem.push('\n');
                body = rest;
            }
            pem.push_str("-----END CERTIFICATE-----\n");
        }
        Some(pem.into_bytes())
    }
}

fn is_usable(certificate: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(certificate.clone()).is_ok()
}

/// The certificates of a file that can be an authority's; at least one.
fn usable(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let mut certificates = pem::certificates(path)?;
    certificates.retain(is_usable);
    if certificates.is_empty() {
        return Err(PemError::Content {
            path: path.to_owned(),
            problem: "holds no certificate that can be read",
        });
    }
    Ok(certificates)
}

/// The certificates that the two variables name; `None` when neither is set.
fn named(
    file: Option<OsString>,
    directories: Option<OsString>,
) -> Result<Option<Vec<CertificateDer<'static>>>, TrustVariableError> {
    if file.is_none() && directories.is_none() {
        return Ok(None);
    }
    let mut certificates = Vec::new();
    if let Some(file) = file {
        certificates.extend(
            usable(Path::new(&file)).map_err(|error| TrustVariableError {
                variable: FILE,
                problem: match file.is_empty() {
                    true => "is empty".to_owned(),
                    false => format!("names a file that cannot be used: {error}"),
                },
            })?,
        );
    }
    if let Some(directories) = directories {
        certificates.extend(of_directories(&directories)?);
    }
    Ok(Some(certificates))
}

fn of_directories(directories: &OsStr) -> Result<Vec<CertificateDer<'static>>, TrustVariableError> {
    let paths: Vec<PathBuf> = env::split_paths(directories).collect();
    let loaded = paths.iter().filter(|path| !path.as_os_str().is_empty());
    let mut certificates: Vec<_> = loaded
        .flat_map(|path| rustls_native_certs::load_certs_from_paths(None, Some(path)).certs)
        .collect();
    certificates.retain(is_usable);
    if certificates.is_empty() {
        return Err(TrustVariableError {
            variable: DIRECTORY,
            problem: format!(
                "names {}, where no certificate in PEM form is found",
                directories.to_string_lossy()
            ),
        });
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;

    use super::*;

    fn certificate() -> String {
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        made.cert.pem()
    }

    #[test]
    fn a_machine_without_certificates_trusts_mozillas_list() {
        let roots = Roots::of(Vec::new());
        assert_eq!(roots.store().len(), webpki_roots::TLS_SERVER_ROOTS.len());
        assert!(roots.pem().is_none());
    }

    #[test]
    fn a_file_is_trusted_alone_and_reads_the_same_as_text() {
        let folder = tempfile::tempdir().unwrap();
        let (file, again) = (
            folder.path().join("ca.pem"),
            folder.path().join("again.pem"),
        );
        std::fs::write(&file, certificate() + &certificate()).unwrap();
        let roots = Roots::of_file(&file).unwrap();
        assert_eq!(roots.store().len(), 2);
        std::fs::write(&again, roots.pem().unwrap()).unwrap();
        let read = Roots::of_file(&again).unwrap();
        assert_eq!(read.certificates, roots.certificates);
    }

    #[test]
    fn variables_that_name_no_certificates_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::create_dir(path("none")).unwrap();
        std::fs::create_dir(path("some")).unwrap();
        std::fs::write(path("some/ca.pem"), certificate()).unwrap();
        std::fs::write(path("text"), "hello").unwrap();
        let check = |file: Option<&str>, directory: Option<&str>| {
            Roots::check_variables(|name| match name {
                FILE => file,
                _ => directory,
            })
            .map_err(|error| error.to_string())
        };
        assert_eq!(check(None, None), Ok(()));
        assert_eq!(check(Some(&path("some/ca.pem")), None), Ok(()));
        assert_eq!(check(None, Some(&path("some"))), Ok(()));
        let both = format!("{}:{}", path("none"), path("some"));
        assert_eq!(check(None, Some(&both)), Ok(()));
        for (file, directory, says) in [
            (Some(""), None, "SSL_CERT_FILE is empty"),
            (
                Some("missing"),
                None,
                "SSL_CERT_FILE names a file that cannot be used: missing: No such",
            ),
            (
                Some(&*path("text")),
                None,
                "text holds no certificate in PEM form",
            ),
            (None, Some(&*path("none")), "SSL_CERT_DIR names "),
            (
                None,
                Some("missing"),
                "SSL_CERT_DIR names missing, where no",
            ),
            (None, Some(""), "SSL_CERT_DIR names "),
        ] {
            let said = check(file, directory).unwrap_err();
            assert!(said.contains(says), "{said}");
        }
    }
}
