//! One handle for a single Redis and for a cluster.

use std::time::Duration;

use redis::{
    Client, Cmd, Pipeline, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, PubSub},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
};

/// A cheap clone of a multiplexed connection that reconnects by itself.
#[derive(Clone)]
pub(super) enum Connection {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Connects. `urls`: one for a single server, several for a cluster. Commands that take longer than
    /// `response_timeout` fail: what they did is then unknown, which every transition tolerates.
    pub async fn open(urls: &[String], response_timeout: Duration) -> RedisResult<Self> {
        match urls {
            [url] => {
                let config = ConnectionManagerConfig::new()
                    .set_number_of_retries(1)
                    .set_max_delay(Duration::from_millis(500))
                    .set_connection_timeout(Some(response_timeout))
                    .set_response_timeout(Some(response_timeout));
                let manager = Client::open(url.as_str())?
                    .get_connection_manager_with_config(config)
                    .await?;
                Ok(Self::Single(manager))
            }
            urls => {
                let client = ClusterClient::builder(urls.to_vec())
                    .connection_timeout(response_timeout)
                    .response_timeout(response_timeout)
                    .build()?;
                Ok(Self::Cluster(client.get_async_connection().await?))
            }
        }
    }
}

/// A connection that only listens. In a cluster every node hears every channel, so the first will do.
pub(super) async fn subscribe(urls: &[String], channel: &str) -> RedisResult<PubSub> {
    let url = urls.first().map(String::as_str).unwrap_or_default();
    let mut listener = Client::open(url)?.get_async_pubsub().await?;
    listener.subscribe(channel).await?;
    Ok(listener)
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
