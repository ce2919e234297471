//! `[redis]`: where the queue lives.

use std::{fmt, path::PathBuf, time::Duration};

use redis::{ConnectionAddr, IntoConnectionInfo};
use secrecy::{ExposeSecret, SecretString};

use super::{
    key::{Shape, default, optional},
    section::section,
    setting::{Setting, Wrong},
};

section! {
    /// The queue. Without `url` the program starts its own `redis-server` with append-only persistence,
    /// shared by every command on this machine that uses the same data directory.
    RedisConfig at "redis" {
        /// `redis://`, `rediss://` (TLS) or `redis+unix://`; a list of several nodes means Redis Cluster.
        /// Absent: the program starts its own server.
        url: Option<Vec<RedisUrl>> = optional("redis://127.0.0.1:6379/0"),
        /// A PEM file with the certificates of the authorities that sign the servers' certificates. They alone are trusted then.
        /// Absent: this machine's certificate store counts (or `SSL_CERT_FILE` and `SSL_CERT_DIR`).
        ca_file: Option<PathBuf> = optional("redis-ca.pem"),
        /// A PEM file with the certificate that this program shows to servers that ask for one.
        cert_file: Option<PathBuf> = optional("redis-client.pem"),
        /// A PEM file with the private key of `cert_file`, not encrypted.
        key_file: Option<PathBuf> = optional("redis-client.key"),
        /// Where the embedded server keeps its data. A relative path starts at the config file's folder.
        data_dir: PathBuf = default("./data/redis"),
        /// The embedded server's program, by name or path.
        server: String = default("redis-server"),
        /// Work on a Redis without append-only persistence. After its crash AlumnIQ's feed is fetched
        /// again, but dead letters, history and the memory of each person's newest change are gone.
        allow_no_persistence: bool = default("false"),
        /// Work on a Redis that evicts keys when its memory is full, which loses changes in flight.
        allow_eviction: bool = default("false"),
        /// How long one Redis command may take.
        response_timeout: Duration = default("5s").within(0.1, 60.0),
    }
}

impl RedisConfig {
    /// Whether any node is spoken to in TLS.
    pub fn speaks_tls(&self) -> bool {
        let nodes = self.url.iter().flatten();
        nodes
            .into_iter()
            .any(|node| node.redacted.starts_with("rediss:"))
    }
}

/// The address of a Redis node. Its password, if any, is never shown.
#[derive(Clone)]
pub struct RedisUrl {
    url: SecretString,
    redacted: String,
}

impl RedisUrl {
    /// The whole address, password included: for connecting only.
    pub fn expose(&self) -> &str {
        self.url.expose_secret()
    }
}

/// Without user and password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

impl Setting for Vec<RedisUrl> {
    const SHAPE: Shape = Shape::TextOrList;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        let nodes = Vec::<String>::parse(value)?
            .iter()
            .map(|url| node(url))
            .collect::<Result<Self, _>>()?;
        let single = |node: &RedisUrl| node.redacted.starts_with("redis+unix:");
        match nodes.len() {
            0 => Err(Wrong::new("must name at least one node")),
            1 => Ok(nodes),
            _ if nodes.iter().any(single) => Err(Wrong::new(
                "names several nodes, which means Redis Cluster, but a Unix socket is no cluster node",
            )),
            _ => Ok(nodes),
        }
    }

    fn show(&self, value: &toml::Value) -> toml::Value {
        match (value, self.as_slice()) {
            (toml::Value::String(_), [one]) => one.to_string().into(),
            _ => self
                .iter()
                .map(|node| toml::Value::from(node.to_string()))
                .collect::<Vec<_>>()
                .into(),
        }
    }
}

fn node(url: &str) -> Result<RedisUrl, Wrong> {
    let help = "e.g. redis://host:6379/0, rediss://user:password@host:6379/0 or \
                redis+unix:///run/redis/redis.sock";
    // A password with one of these characters as it is: what stands before it would pass for the host.
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let behind = authority
        .find(['/', '?', '#'])
        .map_or("", |end| &authority[end..]);
    if behind.contains('@') && !url.starts_with("redis+unix:") {
        return Err(Wrong::new(
            "has an `@` behind its host; in a password write /, ? and # as %2F, %3F and %23",
        )
        .help(help));
    }
    // The driver's own error may quote the address, password included.
    let info = url
        .into_connection_info()
        .map_err(|_| Wrong::new("is no Redis address").help(help))?;
    let database = info.redis_settings().db();
    let redacted = match info.addr() {
        ConnectionAddr::Tcp(host, port) => format!("redis://{host}:{port}/{database}"),
        ConnectionAddr::TcpTls { host, port, .. } => format!("rediss://{host}:{port}/{database}"),
        ConnectionAddr::Unix(path) => format!("redis+unix://{}?db={database}", path.display()),
        _ => return Err(Wrong::new("is no Redis address of a known kind").help(help)),
    };
    Ok(RedisUrl {
        url: SecretString::from(url),
        redacted,
    })
}
