//! TLS of the HTTP clients.

use rustls::ClientConfig;
use transport::{Roots, client_builder};

#[cfg(test)]
mod tests;

/// TLS settings for a client that trusts `roots` and speaks HTTP/2 or HTTP/1.1.
pub fn client_config(roots: &Roots) -> Result<ClientConfig, rustls::Error> {
    let mut config = client_builder(roots.store())?.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
