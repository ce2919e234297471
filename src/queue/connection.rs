//! One handle for a single Redis and for a cluster.

use std::time::Duration;

use redis::{
    Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, Pipeline, RedisError, RedisFuture,
    RedisResult, ServerErrorKind, TlsCertificates, Value,
    aio::{ConnectionLike, PubSub},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    io::tcp::TcpSettings,
};
use tokio::time::{Instant, sleep, timeout};

use super::reconnecting::Reconnecting;

/// A cheap clone of a multiplexed connection that reconnects by itself.
#[derive(Clone)]
pub(super) enum Connection {
    Single(Reconnecting),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Connects. `urls`: one for a single server, several for a cluster; `tls`: for those with `rediss://`. Commands
    /// that take longer than `response_timeout` fail: what they did is then unknown, which every transition tolerates.
    pub async fn open(
        urls: &[String],
        tls: &TlsCertificates,
        response_timeout: Duration,
    ) -> RedisResult<Self> {
        match urls {
            [url] => Reconnecting::open(client(url, tls)?, response_timeout)
                .await
                .map(Self::Single),
            urls => {
                let mut builder = ClusterClient::builder(urls.to_vec());
                // With certificates, the driver would speak TLS to every cluster.
                if urls.iter().any(|url| url.starts_with("rediss:")) {
                    builder = builder.certs(tls.clone());
                }
                let client = builder
                    .tcp_settings(without_delay())
                    .connection_timeout(response_timeout)
                    .response_timeout(response_timeout)
                    // Its waits count against the response's timeout; longer ones are made here, see `patiently`.
                    .retries(6)
                    .min_retry_wait(10)
                    .max_retry_wait(100)
                    .build()?;
                Ok(Self::Cluster(client.get_async_connection().await?))
            }
        }
    }
}

/// Of one server.
pub(super) fn client(url: &str, tls: &TlsCertificates) -> RedisResult<Client> {
    let info = url.into_connection_info()?;
    // Its name is of no use, and telling it needs a right.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    let info = info
        .set_redis_settings(settings)
        .set_tcp_settings(without_delay());
    match info.addr() {
        ConnectionAddr::TcpTls { .. } => Client::build_with_tls(info, tls.clone()),
        _ => Client::open(info),
    }
}

/// Commands are small and follow one another: gathered for full packets, each would wait until the last one is
/// acknowledged.
fn without_delay() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// A connection that only listens. In a cluster every node hears every channel, so the first that answers
/// within `patience` will do.
pub(super) async fn subscribe(
    urls: &[String],
    tls: &TlsCertificates,
    channel: &str,
    patience: Duration,
) -> RedisResult<PubSub> {
    let mut last = None;
    for url in urls {
        let subscribed = timeout(patience, async {
            let mut listener = client(url, tls)?.get_async_pubsub().await?;
            listener.subscribe(channel).await?;
            RedisResult::Ok(listener)
        });
        match subscribed.await {
            Ok(Ok(listener)) => return Ok(listener),
            Ok(Err(error)) => last = Some(error),
            Err(_) => last = Some(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }
    Err(last.unwrap_or_else(|| (redis::ErrorKind::InvalidClientConfig, "no address").into()))
}

/// How long a call waits for the cluster to move our slot.
const MOVE: Duration = Duration::from_secs(30);

/// The longest pause between two attempts meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What a call that is repeated until our slot has moved has waited for so far.
struct Patience {
    ends: Instant,
    pause: Duration,
}

impl Patience {
    fn new() -> Self {
        Self {
            ends: Instant::now() + MOVE,
            pause: Duration::from_millis(10),
        }
    }

    /// Waits where the call is to be repeated: the cluster refused it because it moves the slot, and did nothing.
    async fn repeats(&mut self, error: &RedisError) -> bool {
        if !is_moving(error) || Instant::now() > self.ends {
            return false;
        }
        sleep(self.pause).await;
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        true
    }
}

fn is_moving(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::TryAgain | ServerErrorKind::Ask)
    )
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let mut patience = Patience::new();
            loop {
                let answer = match self {
                    Self::Single(connection) => connection.req_packed_command(cmd).await,
                    Self::Cluster(connection) => connection.req_packed_command(cmd).await,
                };
                match answer {
                    Err(error) if patience.repeats(&error).await => {}
                    answer => return answer,
                }
            }
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut patience = Patience::new();
            loop {
                let answers = match self {
                    Self::Single(connection) => {
                        connection.req_packed_commands(cmd, offset, count).await
                    }
                    Self::Cluster(connection) => {
                        connection.req_packed_commands(cmd, offset, count).await
                    }
                };
                match answers {
                    Err(error) if patience.repeats(&error).await => {}
                    answers => return answers,
                }
            }
        })
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
