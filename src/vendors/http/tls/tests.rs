//! Vendors whose TLS is wrong in every way, as real servers.

use std::{sync::Arc, time::Duration};

use jobs::reply::Reply;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use reqwest::Method;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::vendors::{ClientSettings, http::Http, testing::run_again_with};

/// A certificate for `localhost` and its key, but for what `change` does to it.
struct Certificate {
    der: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Certificate {
    fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            key,
        }
    }

    /// A server that shows it, for these protocols; where it asks for a client certificate, it takes none.
    fn server(&self, protocols: &[&str], wants_client_certificate: bool) -> TlsAcceptor {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match wants_client_certificate {
            true => {
                let mut roots = RootCertStore::empty();
                roots.add(self.der.clone()).unwrap();
                let provider = Arc::new(ring::default_provider());
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
            false => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let mut config = builder
            .with_single_cert(vec![self.der.clone()], key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().into())
            .collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A client's trust in it alone.
    fn roots(&self) -> Roots {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &self.pem).unwrap();
        Roots::of_file(file.path()).unwrap()
    }
}

/// What follows `scheme://` in the address of a server that does this with every connection.
async fn listening<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    format!("localhost:{port}")
}

/// A vendor behind this TLS that answers `[]`. Of a handshake that fails it lets the client read why.
async fn vendor(acceptor: TlsAcceptor) -> String {
    listening(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            match acceptor.accept(stream).into_fallible().await {
                Ok(mut stream) => answer(&mut stream).await,
                Err((_, mut stream)) => {
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest).await;
                }
            }
        }
    })
    .await
}

async fn answer(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) {
    let mut request = [0; 4096];
    let read = stream.read(&mut request).await;
    if read.is_ok_and(|length| length > 0) {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
        stream.write_all(answer).await.unwrap_or_default();
        stream.shutdown().await.unwrap_or_default();
    }
}

async fn get(url: &str, roots: Option<Roots>) -> Reply {
    let settings = ClientSettings {
        roots,
        ..ClientSettings::default()
    };
    let http = Http::new("test", "test.url", url, &[], settings).unwrap();
    let request = http.request(Method::GET, "x");
    http.call("get", request, None).await.reply
}

/// The cause and the advice of a call that never arrived.
#[track_caller]
fn unreachable(reply: Reply) -> (String, String) {
    match reply {
        Reply::Unreachable {
            cause,
            advice: Some(advice),
        } => (cause, advice),
        reply => panic!("{reply:?}"),
    }
}

#[tokio::test]
async fn the_machines_certificate_store_decides_whom_we_trust() {
    const VENDOR: &str = "ALUMNIQ_RELAY_TEST_TRUSTED_VENDOR";
    if let Ok(url) = std::env::var(VENDOR) {
        let reply = get(&url, None).await;
        assert!(
            matches!(&reply, Reply::Answer(answer) if answer.status == 200),
            "{reply:?}"
        );
        return;
    }
    let certificate = Certificate::new(|_| ());
    let url = format!("https://{}", vendor(certificate.server(&[], false)).await);
    let (cause, advice) = unreachable(get(&url, None).await);
    assert!(
        cause.contains("authority that this program does not trust")
            && cause.contains("UnknownIssuer"),
        "{cause}"
    );
    assert!(advice.contains("`test.ca_file`"), "{advice}");

    let store = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(store.path(), &certificate.pem).unwrap();
    let store = store.path().to_str().unwrap();
    run_again_with(
        "vendors::http::tls::tests::the_machines_certificate_store_decides_whom_we_trust",
        &[("SSL_CERT_FILE", store), (VENDOR, &url)],
    )
    .await;
}

#[tokio::test]
async fn a_vendor_of_ones_own_authority_is_trusted_and_nobody_else_is() {
    let (ours, another) = (Certificate::new(|_| ()), Certificate::new(|_| ()));
    let url = format!("https://{}", vendor(ours.server(&[], false)).await);
    let reply = get(&url, Some(ours.roots())).await;
    assert!(
        matches!(&reply, Reply::Answer(answer) if answer.status == 200),
        "{reply:?}"
    );
    let (cause, _) = unreachable(get(&url, Some(another.roots())).await);
    assert!(
        cause.contains("UnknownIssuer") || cause.contains("BadSignature"),
        "{cause}"
    );
}

#[tokio::test]
async fn every_fault_of_a_vendors_certificate_is_said_with_what_to_do() {
    let now = std::time::SystemTime::now();
    let day = Duration::from_secs(24 * 3600);
    let expired = Certificate::new(|params| {
        params.not_before = (now - 3 * day).into();
        params.not_after = (now - day).into();
    });
    let future = Certificate::new(|params| params.not_before = (now + day).into());
    let named = Certificate::new(|params| {
        *params = CertificateParams::new(["other.example".to_owned()]).unwrap();
    });
    let authority = Certificate::new(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    for (certificate, cause, advice) in [
        (expired, "has expired", "renew the server's certificate"),
        (future, "is not valid yet", "check this machine's clock"),
        (named, "is for another host name", "`test.url`"),
        (
            authority,
            "certificate of a certificate authority",
            "certificate of its own",
        ),
    ] {
        let url = format!("https://{}", vendor(certificate.server(&[], false)).await);
        let said = unreachable(get(&url, Some(certificate.roots())).await);
        assert!(
            said.0.contains(cause) && said.1.contains(advice),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn a_vendor_that_requires_a_client_certificate_has_seen_no_call() {
    let certificate = Certificate::new(|_| ());
    for protocols in [&["http/1.1"][..], &["h2"]] {
        let url = format!(
            "https://{}",
            vendor(certificate.server(protocols, true)).await
        );
        let (cause, advice) = unreachable(get(&url, Some(certificate.roots())).await);
        assert!(cause.contains("requires a client certificate"), "{cause}");
        assert!(advice.contains("gateway"), "{advice}");
    }
}

#[tokio::test]
async fn a_port_without_tls_is_said_to_be_one() {
    let plain = listening(|mut stream| async move {
        let bytes = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(bytes).await.unwrap_or_default();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let (cause, advice) = unreachable(get(&format!("https://{plain}"), None).await);
    assert!(cause.contains("does not speak TLS on this port"), "{cause}");
    assert!(advice.contains("`test.url`"), "{advice}");

    let closing = listening(|mut stream| async move {
        let mut hello = [0; 4096];
        let _ = stream.read(&mut hello).await;
    })
    .await;
    let (cause, _) = unreachable(get(&format!("https://{closing}"), None).await);
    assert!(
        cause.contains("closed the connection during the TLS handshake"),
        "{cause}"
    );
}

#[tokio::test]
async fn a_port_with_tls_that_is_spoken_to_without_is_said_to_be_one() {
    let certificate = Certificate::new(|_| ());
    let url = format!("http://{}", vendor(certificate.server(&[], false)).await);
    let Reply::Lost { cause } = get(&url, None).await else {
        panic!("what answers so may have read the request")
    };
    assert!(
        cause.contains("`test.url` must begin with https://"),
        "{cause}"
    );
}
