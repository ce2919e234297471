//! Whom we trust: the machine's certificate store, so that a school's own authority works, and where
//! there is none (a bare container) Mozilla's list, so that one file and libc are enough.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// TLS settings for a client that speaks HTTP/2 or HTTP/1.1.
pub fn client_config() -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

#[cfg(test)]
mod tests {
    use jobs::reply::Reply;
    use reqwest::Method;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::vendors::{
        ClientSettings,
        http::Http,
        testing::{run_again_with, tls_acceptor},
    };

    async fn get(url: &str) -> Reply {
        let http = Http::new("test", "test.url", url, &[], ClientSettings::default()).unwrap();
        let request = http.request(Method::GET, "x");
        http.call("get", request, None).await.reply
    }

    /// A vendor whose certificate nobody knows, and that certificate as PEM.
    async fn vendor() -> (String, String) {
        let (acceptor, certificate) = tls_acceptor(&[]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        (format!("https://localhost:{port}"), certificate)
    }

    #[tokio::test]
    async fn the_machines_certificate_store_decides_whom_we_trust() {
        const VENDOR: &str = "ALUMNIQ_RELAY_TEST_TRUSTED_VENDOR";
        if let Ok(url) = std::env::var(VENDOR) {
            let reply = get(&url).await;
            assert!(
                matches!(&reply, Reply::Answer(answer) if answer.status == 200),
                "{reply:?}"
            );
            return;
        }
        let (url, certificate) = vendor().await;
        let Reply::Unreachable { cause } = get(&url).await else {
            panic!("an unknown certificate is not trusted, and nothing is sent")
        };
        assert!(cause.contains("UnknownIssuer"), "{cause}");

        let store = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(store.path(), certificate).unwrap();
        let store = store.path().to_str().unwrap();
        run_again_with(
            "vendors::http::tls::tests::the_machines_certificate_store_decides_whom_we_trust",
            &[("SSL_CERT_FILE", store), (VENDOR, &url)],
        )
        .await;
    }

    #[tokio::test]
    async fn a_machine_without_certificates_trusts_mozillas_list() {
        const CHILD: &str = "ALUMNIQ_RELAY_TEST_BARE_MACHINE";
        if std::env::var_os(CHILD).is_some() {
            assert_eq!(roots().len(), webpki_roots::TLS_SERVER_ROOTS.len());
            return;
        }
        run_again_with(
            "vendors::http::tls::tests::a_machine_without_certificates_trusts_mozillas_list",
            &[("SSL_CERT_FILE", "/dev/null"), (CHILD, "1")],
        )
        .await;
    }
}
