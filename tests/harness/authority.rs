//! A certificate authority of one's own.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use tempfile::TempDir;

/// Its certificate in `ca.pem`, and those of a server (`localhost`, `127.0.0.1`) and of a client in `server.pem` and
/// `client.pem`, their keys in `server.key` and `client.key`.
pub struct Authority(TempDir);

impl Authority {
    pub fn establish() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "Campus authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        write("ca.pem", issuer.pem());
        for (name, purpose) in [
            ("server", ExtendedKeyUsagePurpose::ServerAuth),
            ("client", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
            let mut params = CertificateParams::new(names).unwrap();
            // A node of a cluster is the others' client too.
            params.extended_key_usages = vec![purpose, ExtendedKeyUsagePurpose::ClientAuth];
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            write(&format!("{name}.pem"), certificate.pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
        Self(folder)
    }

    /// One of the files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The same as text.
    pub fn named(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The options of a `redis-server` that speaks TLS on `port` and asks clients for a certificate (`yes`) or not
    /// (`no`).
    pub fn redis_options(&self, port: u16, asks_clients: &str) -> Vec<String> {
        [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", self.named("server.pem")),
            ("--tls-key-file", self.named("server.key")),
            ("--tls-ca-cert-file", self.named("ca.pem")),
            ("--tls-auth-clients", asks_clients.to_owned()),
        ]
        .into_iter()
        .flat_map(|(option, value)| [option.to_owned(), value])
        .collect()
    }
}
