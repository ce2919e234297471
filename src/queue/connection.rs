//! One handle for a single Redis and for a cluster.

use std::time::Duration;

use redis::{
    Client, Cmd, IntoConnectionInfo, Pipeline, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, PubSub},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    io::tcp::TcpSettings,
};
use tokio::time::timeout;

use super::reconnecting::Reconnecting;

/// A cheap clone of a multiplexed connection that reconnects by itself.
#[derive(Clone)]
pub(super) enum Connection {
    Single(Reconnecting),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Connects. `urls`: one for a single server, several for a cluster. Commands that take longer than
    /// `response_timeout` fail: what they did is then unknown, which every transition tolerates.
    pub async fn open(urls: &[String], response_timeout: Duration) -> RedisResult<Self> {
        match urls {
            [url] => Reconnecting::open(url, response_timeout)
                .await
                .map(Self::Single),
            urls => {
                let client = ClusterClient::builder(urls.to_vec())
                    .tcp_settings(without_delay())
                    .connection_timeout(response_timeout)
                    .response_timeout(response_timeout)
                    .build()?;
                Ok(Self::Cluster(client.get_async_connection().await?))
            }
        }
    }
}

/// Of one server.
pub(super) fn client(url: &str) -> RedisResult<Client> {
    let info = url.into_connection_info()?;
    Client::open(info.set_tcp_settings(without_delay()))
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
    channel: &str,
    patience: Duration,
) -> RedisResult<PubSub> {
    let mut last = None;
    for url in urls {
        let subscribed = timeout(patience, async {
            let mut listener = client(url)?.get_async_pubsub().await?;
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

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(cmd, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(cmd, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
