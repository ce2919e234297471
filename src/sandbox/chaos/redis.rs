//! Redis: a server of our own, which may be killed, or somebody's, which may not.

use std::{io, path::Path};

use miette::IntoDiagnostic;
use queue::{Queue, embedded::PID_FILE};
use redis::{ConnectionAddr, IntoConnectionInfo, RedisResult};

use super::{
    door::{Behind, ChaosProxy},
    plan::ChaosAct,
    processes::Processes,
};
use crate::redis_server::{RedisServer, RedisServerSettings};

/// Where the fleet's queue is.
pub enum ChaosRedis {
    /// Ours.
    Own(RedisServer),
    /// Theirs, through a door that can cut connections, where there can be one.
    Theirs(Option<ChaosProxy>),
}

impl ChaosRedis {
    /// Does what an act does to Redis.
    pub async fn perform(
        &mut self,
        act: ChaosAct,
        queue: &Queue,
        processes: &Processes,
    ) -> miette::Result<()> {
        match (act, self) {
            (ChaosAct::RestartRedis, Self::Own(server)) => {
                server.stop().await?;
                server.start_again().await
            }
            (ChaosAct::KillRedis, Self::Own(server)) => {
                server.kill()?;
                server.start_again().await
            }
            (ChaosAct::FillRedis, Self::Own(server)) => fill(server).await.into_diagnostic(),
            (ChaosAct::FreeRedis, Self::Own(server)) => {
                server.limit_memory(0).await.into_diagnostic()
            }
            (ChaosAct::EmptyRedis, Self::Own(server)) => server.empty().await.into_diagnostic(),
            (ChaosAct::EmptyRedis, Self::Theirs(_)) => {
                // It takes several steps, and nobody may see it half-done.
                processes.signal_all("STOP");
                let emptied = queue.empty().await;
                processes.signal_all("CONT");
                emptied.map(|_| ()).into_diagnostic()
            }
            (ChaosAct::CutRedis, Self::Theirs(Some(door))) => door.cut().await.into_diagnostic(),
            _ => Ok(()),
        }
    }
}

/// The door to somebody's Redis and the address that leads through it. `None`: with TLS or several nodes the
/// address itself matters, and connections cannot be cut.
pub fn door(url: &str) -> io::Result<Option<(ChaosProxy, String)>> {
    let Ok(info) = url.into_connection_info() else {
        return Ok(None);
    };
    let behind = match info.addr() {
        ConnectionAddr::Tcp(host, port) => Behind::Tcp(format!("{host}:{port}")),
        ConnectionAddr::Unix(path) => Behind::Unix(path.clone()),
        _ => return Ok(None),
    };
    let settings = info.redis_settings();
    let encoded =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let credentials = match (settings.username(), settings.password()) {
        (None, None) => String::new(),
        (user, password) => format!(
            "{}:{}@",
            encoded(user.unwrap_or_default()),
            encoded(password.unwrap_or_default())
        ),
    };
    let door = ChaosProxy::new(behind)?;
    let url = format!("redis://{credentials}{}/{}", door.address(), settings.db());
    Ok(Some((door, url)))
}

/// The server of a run, in `directory`.
pub async fn own_server(directory: &Path) -> miette::Result<RedisServer> {
    let options = [
        "--appendfsync",
        "everysec",
        "--maxmemory-policy",
        "noeviction",
        "--pidfile",
        PID_FILE,
    ];
    RedisServer::start(
        directory,
        RedisServerSettings {
            options: options.map(str::to_owned).into(),
            has_own_group: true,
            ..RedisServerSettings::default()
        },
    )
    .await
}

async fn fill(server: &RedisServer) -> RedisResult<()> {
    // A little less than it has: what changes go does not make room.
    server
        .limit_memory(server.used_memory().await? / 10 * 9)
        .await
}
