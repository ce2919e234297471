//! TLS and proxies between the program and its neighbors: what works, and what is said where it does not.

use std::net::SocketAddr;

use harness::{
    authority::Authority,
    proxy::{Proxy, Server},
    redis::Redis,
    relay::Relay,
    sockets::Port,
    vendors::{every_promise_held, vendors},
};
use sandbox::Sandbox;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A Redis with TLS, and a relay that is to use it.
struct Secured {
    authority: Authority,
    sandbox: Sandbox,
    _redis: Redis,
    port: Port,
}

impl Secured {
    async fn start(asks_clients: &str) -> Self {
        let (authority, port) = (Authority::establish(), Port::hold());
        let options = authority.redis_options(port.number(), asks_clients);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        Self {
            sandbox: vendors(20, 10).await,
            _redis: Redis::start_with(&options).await,
            authority,
            port,
        }
    }

    fn relay(&self) -> Relay {
        let url = format!("rediss://localhost:{}", self.port.number());
        Relay::new(&self.sandbox, None).set("redis.url", &url)
    }
}

/// What `check --connect` says of a Redis that it cannot use.
async fn refused(relay: &Relay, words: &[&str]) {
    let said = relay.run(&["check", "--connect"]).await.expect(1).said();
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[tokio::test]
async fn a_redis_of_a_private_authority_is_used_once_that_is_named() {
    let secured = Secured::start("no").await;
    let ca = secured.authority.named("ca.pem");
    refused(
        &secured.relay(),
        &[
            "authority that this program does not trust",
            "`redis.ca_file`",
        ],
    )
    .await;
    let by_variable = secured.relay().with_variable("SSL_CERT_FILE", &ca);
    by_variable.run(&["check", "--connect"]).await.expect(0);
    let relay = secured.relay().set("redis.ca_file", &ca);
    relay.run(&["check", "--connect"]).await.expect(0);
    // The listener for news has a connection of its own.
    relay.run(&["sync", "--wait"]).await.expect(0);
    every_promise_held(&secured.sandbox.report(), &[], &[]);
}

#[tokio::test]
async fn a_redis_that_asks_for_a_client_certificate_gets_ours() {
    let secured = Secured::start("yes").await;
    let relay = || {
        let ca = secured.authority.named("ca.pem");
        secured.relay().set("redis.ca_file", &ca)
    };
    refused(
        &relay(),
        &[
            "requires a client certificate",
            "`redis.cert_file` and `redis.key_file`",
        ],
    )
    .await;
    let (certificate, key) = (
        secured.authority.named("client.pem"),
        secured.authority.named("client.key"),
    );
    let ours = |relay: Relay| {
        relay
            .set("redis.cert_file", &certificate)
            .set("redis.key_file", &key)
    };
    ours(relay()).run(&["sync", "--wait"]).await.expect(0);
    every_promise_held(&secured.sandbox.report(), &[], &[]);

    let stranger = Authority::establish();
    let strangers = relay()
        .set("redis.cert_file", &stranger.named("client.pem"))
        .set("redis.key_file", &stranger.named("client.key"));
    refused(&strangers, &["does not accept the client certificate"]).await;
}

#[tokio::test]
async fn a_scheme_that_does_not_fit_the_port_of_redis_is_said() {
    let secured = Secured::start("no").await;
    let plain = Port::hold();
    let port = plain.number().to_string();
    let _redis = Redis::start_with(&["--port", &port]).await;
    let relay = secured
        .relay()
        .set("redis.url", &format!("rediss://localhost:{port}"));
    refused(&relay, &["a Redis without TLS stays silent to rediss://"]).await;
    let relay = secured.relay().set(
        "redis.url",
        &format!("redis://localhost:{}", secured.port.number()),
    );
    refused(&relay, &["then write rediss:// in `redis.url`"]).await;
}

#[tokio::test]
async fn files_of_tls_that_cannot_be_used_are_refused_before_anything_is_called() {
    let sandbox = vendors(1, 1).await;
    let (ours, another) = (Authority::establish(), Authority::establish());
    let (ca, cert) = (ours.named("ca.pem"), ours.named("client.pem"));
    let (key, other_key) = (ours.named("client.key"), another.named("client.key"));
    let relay = || Relay::new(&sandbox, None).set("redis.url", "rediss://localhost:1");
    let both = |key: &str| {
        relay()
            .set("redis.cert_file", &cert)
            .set("redis.key_file", key)
    };
    let plain = || Relay::new(&sandbox, None);
    // The sandbox's file ends in the table [salsa].
    for (relay, words) in [
        (
            plain().append("ca_file = \"missing.pem\"\n"),
            &[
                "relay.toml:",
                "`salsa.ca_file`",
                "missing.pem: No such file",
            ][..],
        ),
        (
            plain().set("crm.ca_file", &key),
            &["`crm.ca_file`", "holds no certificate in PEM form"],
        ),
        (
            plain().set("alumniq.ca_file", &other_key),
            &["`alumniq.ca_file`", "holds no certificate in PEM form"],
        ),
        (both(&other_key), &["`redis.key_file`", "does not belong"]),
        (
            relay().set("redis.cert_file", &cert),
            &["`redis.cert_file`", "without `redis.key_file`"],
        ),
        (
            relay().set("redis.key_file", &key),
            &["`redis.key_file`", "without `redis.cert_file`"],
        ),
        (
            plain()
                .set("redis.url", "redis://localhost:1")
                .set("redis.ca_file", &ca),
            &["`redis.ca_file`", "rediss://"],
        ),
        (
            plain().with_variable("SSL_CERT_FILE", "missing.pem"),
            &["SSL_CERT_FILE", "missing.pem: No such file"],
        ),
        (
            plain().with_variable("SSL_CERT_FILE", &key),
            &["SSL_CERT_FILE", "client.key holds no certificate"],
        ),
        (
            plain().with_variable("SSL_CERT_DIR", "missing"),
            &["SSL_CERT_DIR", "names missing, where no certificate"],
        ),
        (
            plain().with_variable("https_proxy", "http://me:hunter2@proxy:port"),
            &["https_proxy", "http://HOST:PORT"],
        ),
    ] {
        for command in ["check", "run"] {
            let said = relay.run(&[command]).await.expect(2).said();
            for word in words {
                assert!(said.contains(word), "{word}: {said}");
            }
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
    assert!(sandbox.report().traffic.calls.is_empty());
}

/// A proxy that answers every call with this status line.
async fn proxy_that_answers(line: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let answer = format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

/// A proxy that connects every tunnel to this port of localhost.
async fn proxy_to(port: u16) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(client.read_u8().await.unwrap());
                }
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

/// Vendors whose names only a proxy could know.
fn elsewhere(sandbox: &Sandbox, redis: &Redis, scheme: &str) -> Relay {
    Relay::new(sandbox, Some(redis))
        .set(
            "alumniq.url",
            &format!("{scheme}://alumniq.test/api/v1/index.cfm"),
        )
        .set("crm.url", &format!("{scheme}://crm.test/crms/api"))
        .set("salsa.url", &format!("{scheme}://salsa.test"))
}

#[tokio::test]
async fn a_proxy_that_fails_is_named_and_no_vendor_is_blamed() {
    let sandbox = vendors(1, 1).await;
    let redis = Redis::start().await;
    let dead = Port::hold();
    let asks = proxy_that_answers("407 Proxy Authentication Required").await;
    let forbids = proxy_that_answers("403 Forbidden").await;
    for (scheme, variable, proxy, what, advice) in [
        (
            "https",
            "HTTPS_PROXY",
            dead.address(),
            "no connection to the proxy",
            "HTTPS_PROXY",
        ),
        (
            "http",
            "HTTP_PROXY",
            dead.address(),
            "no connection to the proxy",
            "HTTP_PROXY",
        ),
        (
            "https",
            "ALL_PROXY",
            asks,
            "(407)",
            "put user and password into ALL_PROXY",
        ),
        (
            "http",
            "http_proxy",
            asks,
            "(407)",
            "put user and password into http_proxy",
        ),
        (
            "https",
            "https_proxy",
            forbids,
            "does not connect to",
            "NO_PROXY",
        ),
    ] {
        let relay = elsewhere(&sandbox, &redis, scheme)
            .with_variable(variable, &format!("http://me:hunter2@{proxy}"));
        let said = relay.run(&["check", "--connect"]).await.expect(1).said();
        let named = format!("{proxy} ({variable})");
        let through = format!("ok crm it is called through the proxy {named}");
        for word in [&through, what, advice] {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert_eq!(said.matches(what).count(), 3, "each vendor: {said}");
        for blamed in [
            "check `alumniq.url`",
            "check alumniq.url",
            "crm.url must",
            "check salsa.url",
            "hunter2",
        ] {
            assert!(!said.contains(blamed), "{blamed}: {said}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_works_carries_every_call() {
    let sandbox = vendors(20, 10).await;
    let redis = Redis::start().await;
    let vendors = sandbox.urls().salsa;
    let vendors = vendors.strip_prefix("http://").unwrap().parse().unwrap();
    let proxy = Proxy::to(Server::Port(vendors)).await;
    let relay = elsewhere(&sandbox, &redis, "http")
        .with_variable("HTTP_PROXY", &format!("http://{}", proxy.address()));
    let said = relay.run(&["check", "--connect"]).await.expect(0).said();
    for vendor in ["alumniq", "crm", "salsa"] {
        let through = format!(
            "ok {vendor} it is called through the proxy {} (HTTP_PROXY)",
            proxy.address()
        );
        assert!(said.contains(&through), "{through}: {said}");
    }
    relay.run(&["sync", "--wait"]).await.expect(0);
    every_promise_held(&sandbox.report(), &[], &[]);
    // NO_PROXY takes a vendor out.
    let relay = relay.with_variable("NO_PROXY", "crm.test");
    let said = relay.run(&["check", "--connect"]).await.expect(1).said();
    assert!(!said.contains("ok crm it is called through"), "{said}");
}

#[tokio::test]
async fn tls_that_fails_behind_a_proxy_is_not_the_proxys_fault() {
    // Any server with TLS will do.
    let secured = Secured::start("no").await;
    let proxy = proxy_to(secured.port.number()).await;
    let redis = Redis::start().await;
    let relay = elsewhere(&secured.sandbox, &redis, "https")
        .with_variable("HTTPS_PROXY", &format!("http://{proxy}"))
        .set("salsa.ca_file", &secured.authority.named("ca.pem"));
    let said = relay.run(&["check", "--connect"]).await.expect(1).said();
    for word in [
        &format!("FAIL crm no connection to crm.test:443 through the proxy {proxy} (HTTPS_PROXY)"),
        "set `crm.ca_file`",
        "a proxy that inspects TLS signs with an authority of its own",
        "the server's certificate is for another host name",
        "certificate not valid for name \"salsa.test\"",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
}
