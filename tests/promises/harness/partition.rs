//! A wire to Redis that can fall silent.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinHandle,
};

use super::redis::Redis;

/// Carries bytes between a port of its own and a Redis.
pub struct Wire {
    address: SocketAddr,
    silent: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
}

impl Wire {
    pub async fn to(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let silent = Arc::new(AtomicBool::new(false));
        let accepting = tokio::spawn(accept(listener, redis.socket(), Arc::clone(&silent)));
        Self {
            address,
            silent,
            accepting,
        }
    }

    /// What clients connect to.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Connections stay open and new ones are accepted, and nothing comes through any more, in neither direction.
    pub fn cut(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// New connections work. Those from before never will: whatever stood between has forgotten them.
    pub fn mend(&self) {
        self.silent.store(false, Ordering::SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, silent: Arc<AtomicBool>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        tokio::spawn(carry(client, socket.clone(), Arc::clone(&silent)));
    }
}

async fn carry(mut client: TcpStream, socket: PathBuf, silent: Arc<AtomicBool>) {
    let mut server = UnixStream::connect(socket).await.unwrap();
    let (mut up, mut down) = ([0; 4096], [0; 4096]);
    loop {
        let done = tokio::select! {
            read = client.read(&mut up) => forward(read, &up, &mut server, &silent).await,
            read = server.read(&mut down) => forward(read, &down, &mut client, &silent).await,
        };
        if silent.load(Ordering::SeqCst) {
            // Held open, and deaf for good.
            std::future::pending::<()>().await;
        }
        if done {
            return;
        }
    }
}

/// Whether the connection has ended.
async fn forward(
    read: std::io::Result<usize>,
    bytes: &[u8],
    to: &mut (impl AsyncWriteExt + Unpin),
    silent: &AtomicBool,
) -> bool {
    match read {
        Ok(0) | Err(_) => true,
        Ok(_) if silent.load(Ordering::SeqCst) => false,
        Ok(count) => to.write_all(&bytes[..count]).await.is_err(),
    }
}
