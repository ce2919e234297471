//! The start of every TLS configuration of ours.

use std::sync::Arc;

use rustls::{ClientConfig, ConfigBuilder, RootCertStore, client::WantsClientCert, crypto::ring};

/// A client that trusts `roots`; what it shows of itself is still open.
///
/// # Errors
/// The cryptography that is built in speaks none of TLS' safe versions.
pub fn client_builder(
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(builder
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots))
}
