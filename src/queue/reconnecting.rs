//! A connection to one server that is made anew whenever it is of no more use.
//!
//! The driver's own manager does that only for some failures: it keeps a connection whose commands time out,
//! which after a partition may be dead for as long as the kernel goes on trying; it keeps one to a server that
//! a failover made a replica; and once a reconnection was refused (credentials, too many clients), it never
//! tries again. A fleet that nobody watches must come back from all of them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult,
    Value,
    aio::{ConnectionLike, MultiplexedConnection},
};

/// Everybody who needs the connection waits for the same attempt, and learns the same error.
type Attempt = Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>;

/// Clones share the connection.
#[derive(Clone)]
pub(super) struct Reconnecting(Arc<Inner>);

struct Inner {
    client: Client,
    config: AsyncConnectionConfig,
    /// The newest attempt and its number.
    attempt: Mutex<(u64, Attempt)>,
}

impl Reconnecting {
    /// Connects, once.
    pub async fn open(client: Client, response_timeout: Duration) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(response_timeout))
            .set_response_timeout(Some(response_timeout));
        let attempt = Mutex::new((0, attempt(&client, &config)));
        let this = Self(Arc::new(Inner {
            client,
            config,
            attempt,
        }));
        this.connected().await?;
        Ok(this)
    }

    /// A connection and the number of its attempt. A failed attempt is replaced for whoever comes next.
    async fn connected(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        let (number, attempt) = self.attempt().clone();
        match attempt.await {
            Ok(connection) => Ok((number, connection)),
            Err(error) => {
                self.give_up(number);
                Err(error)
            }
        }
    }

    fn attempt(&self) -> std::sync::MutexGuard<'_, (u64, Attempt)> {
        // Nothing panics while it is held, and what it guards is replaced as a whole.
        self.0
            .attempt
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the next command connect anew, unless somebody else has seen to that.
    fn give_up(&self, number: u64) {
        let mut current = self.attempt();
        if current.0 == number {
            *current = (number + 1, attempt(&self.0.client, &self.0.config));
        }
    }

    fn look_at<T>(&self, number: u64, result: RedisResult<T>) -> RedisResult<T> {
        if let Err(error) = &result
            && is_the_connections(error)
        {
            self.give_up(number);
        }
        result
    }
}

fn attempt(client: &Client, config: &AsyncConnectionConfig) -> Attempt {
    let (client, config) = (client.clone(), config.clone());
    async move {
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }
    .boxed()
    .shared()
}

/// Whether a new connection may fare better. A silent one may be dead without knowing it; behind the same
/// address there may be a new primary by now, or new credentials may be in force.
fn is_the_connections(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed
    ) || matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "NOAUTH"))
}

impl ConnectionLike for Reconnecting {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let (number, mut connection) = self.connected().await?;
            self.look_at(number, connection.send_packed_command(cmd).await)
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let (number, mut connection) = self.connected().await?;
            let answers = connection.send_packed_commands(cmd, offset, count).await;
            self.look_at(number, answers)
        })
    }

    fn get_db(&self) -> i64 {
        self.0.client.get_connection_info().redis_settings().db()
    }
}
