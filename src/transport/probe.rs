//! Why a server ends connections as soon as they are made.

use std::{io, sync::Arc, time::Duration};

use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{client::client_builder, fault::TlsFault, pem::ClientIdentity, roots::Roots};

/// How long the server is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// A server that closes with something of ours unread resets the connection, and its alert may be lost: one of so many
/// attempts sees it.
const ATTEMPTS: usize = 10;

/// Shakes hands with the server and sends nothing else, so that its last word can be read: in TLS 1.3 a server
/// refuses a client's certificate after the handshake, and a client that has sent something by then may see nothing
/// but a reset. The error of TLS that it gives, if any.
pub async fn handshake_error(
    host: &str,
    port: u16,
    roots: &Roots,
    identity: Option<&ClientIdentity>,
) -> Option<io::Error> {
    let config = Arc::new(client_config(roots, identity).ok()?);
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let attempt = async || {
        let stream = TcpStream::connect((host, port)).await?;
        let connector = TlsConnector::from(Arc::clone(&config));
        let mut stream = connector.connect(name.clone(), stream).await?;
        stream.read_u8().await
    };
    let attempts = async {
        for _ in 0..ATTEMPTS {
            // It answers: what was wrong before is over.
            let error = attempt().await.err()?;
            if TlsFault::of(&error).is_some() {
                return Some(error);
            }
        }
        None
    };
    timeout(PATIENCE, attempts).await.ok().flatten()
}

fn client_config(
    roots: &Roots,
    identity: Option<&ClientIdentity>,
) -> Result<ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
    let config = client_builder(roots.store())?;
    Ok(match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let chain: Vec<_> = CertificateDer::pem_slice_iter(&identity.certificate)
                .filter_map(Result::ok)
                .collect();
            let key = PrivateKeyDer::from_pem_slice(&identity.key)?;
            config.with_client_auth_cert(chain, key)?
        }
    })
}
