//! A vendor in a test: a real TCP server on a free port that answers by script and remembers what it
//! was asked. Raw HTTP/1.1, so that it can also break off, hang and reset.

use std::{
    collections::HashMap,
    io::Write,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::{ClientSettings, VendorCall};

/// What the server was asked.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    pub method: String,
    pub path: String,
    pub query: String,
    /// By lower-case name.
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// What the server does about it.
pub enum ScriptedReply {
    /// These bytes; the connection stays open.
    Answer(Vec<u8>),
    /// These bytes, then the end of the stream.
    BreakOff(Vec<u8>),
    /// These bytes, then a reset.
    Reset(Vec<u8>),
    /// Nothing more, ever; the connection stays open.
    Hang,
    /// The first bytes, then the second ones again and again as long as the client takes them.
    Flood(Vec<u8>, Vec<u8>),
    /// These bytes one by one, for ever slowly.
    Drip(Vec<u8>),
}

/// An answer with a body of its stated length.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> ScriptedReply {
    let body = body.as_ref();
    let mut bytes = format!(
        "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        bytes += &format!("{name}: {value}\r\n");
    }
    bytes += "\r\n";
    ScriptedReply::Answer([bytes.as_bytes(), body].concat())
}

/// `body`, gzipped.
pub fn gzip(body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// An address at which nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Settings whose observer writes down what it is told.
pub fn observed() -> (ClientSettings, Arc<Mutex<Vec<VendorCall>>>) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let settings = ClientSettings {
        observer: Arc::new(move |call: &VendorCall| seen.lock().unwrap().push(call.clone())),
        ..ClientSettings::default()
    };
    (settings, calls)
}

/// `operation status` of every call observed.
pub fn told(calls: &Mutex<Vec<VendorCall>>) -> Vec<String> {
    let calls = calls.lock().unwrap();
    let line = |call: &VendorCall| format!("{} {}", call.operation, call.status);
    calls.iter().map(line).collect()
}

/// Runs one test of this binary again in a process that has these variables and no proxy but theirs:
/// the environment of a running process cannot be changed safely.
pub async fn run_again_with(test: &str, variables: &[(&str, &str)]) {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "SSL_CERT_DIR",
    ] {
        child.env_remove(name).env_remove(name.to_lowercase());
    }
    child
        .envs(variables.iter().copied())
        .args(["--exact", test]);
    let output = child.output().await.unwrap();
    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
    assert!(output.status.success() && ran, "{output:?}");
}

/// The server's side of TLS for `localhost`, for these protocols, and its certificate as PEM: nobody trusts it.
pub fn tls_acceptor(protocols: &[&str]) -> (TlsAcceptor, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.der().clone()],
            PrivateKeyDer::Pkcs8(signing_key.serialize_der().into()),
        )
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    (TlsAcceptor::from(Arc::new(config)), cert.pem())
}

type Script = dyn Fn(&ReceivedRequest) -> ScriptedReply + Send + Sync;

struct Shared {
    script: Box<Script>,
    asked: Mutex<Vec<ReceivedRequest>>,
    connections: AtomicUsize,
    flooded: AtomicUsize,
}

/// The server; it ends when dropped.
pub struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Server {
    pub async fn start(
        script: impl Fn(&ReceivedRequest) -> ScriptedReply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            flooded: AtomicUsize::new(0),
        });
        let for_connections = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&for_connections);
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move { serve(stream, &shared).await });
            }
        });
        Self {
            addr,
            shared,
            accepting,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn asked(&self) -> Vec<ReceivedRequest> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How many bytes of floods the clients' side has taken.
    pub fn flooded(&self) -> usize {
        self.shared.flooded.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: TcpStream, shared: &Shared) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream).await {
        shared.asked.lock().unwrap().push(asked.clone());
        match (shared.script)(&asked) {
            ScriptedReply::Answer(bytes) => stream.write_all(&bytes).await.unwrap_or_default(),
            ScriptedReply::BreakOff(bytes) => {
                return stream.write_all(&bytes).await.unwrap_or_default();
            }
            ScriptedReply::Reset(bytes) => {
                stream.write_all(&bytes).await.unwrap_or_default();
                stream.get_ref().set_zero_linger().unwrap();
                return;
            }
            ScriptedReply::Hang => std::future::pending().await,
            ScriptedReply::Flood(head, piece) => {
                stream.write_all(&head).await.unwrap_or_default();
                while stream.write_all(&piece).await.is_ok() && stream.flush().await.is_ok() {
                    shared.flooded.fetch_add(piece.len(), Ordering::SeqCst);
                }
                return;
            }
            ScriptedReply::Drip(bytes) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await.unwrap_or_default();
                    stream.flush().await.unwrap_or_default();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                return;
            }
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<ReceivedRequest> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(ReceivedRequest {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}
