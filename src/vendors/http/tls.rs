//! TLS of the HTTP clients.

use std::sync::Arc;

use rustls::{ClientConfig, crypto::ring};
use transport::Roots;

#[cfg(test)]
mod tests;

/// TLS settings for a client that trusts `roots` and speaks HTTP/2 or HTTP/1.1.
pub fn client_config(roots: &Roots) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots.store())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
