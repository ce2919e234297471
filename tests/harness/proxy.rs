//! A network that breaks on demand: a port that leads to a server, as long as the test lets it.

use std::{future::pending, io, net::SocketAddr, path::PathBuf, pin::pin};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

/// Where a port leads to.
#[derive(Debug, Clone)]
pub enum Server {
    Port(SocketAddr),
    Socket(PathBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    Whole,
    /// What the server says stays on the way.
    AnswersHeld,
    /// Connections stay open, new ones are accepted, and nothing comes through in either direction.
    Silent,
    /// Every connection is closed, and new ones at once.
    Cut,
}

/// Ends with its owner.
pub struct Proxy {
    address: SocketAddr,
    network: watch::Sender<Network>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn to(server: Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (network, state) = watch::channel(Network::Whole);
        Self {
            address: listener.local_addr().unwrap(),
            network,
            task: tokio::spawn(accept(listener, server, state)),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn hold_answers(&self) {
        self.network.send_replace(Network::AnswersHeld);
    }

    pub fn silence(&self) {
        self.network.send_replace(Network::Silent);
    }

    pub fn cut(&self) {
        self.network.send_replace(Network::Cut);
    }

    /// What was held arrives; new connections are let through. Those that fell silent stay so: whatever stood
    /// between has forgotten them.
    pub fn mend(&self) {
        self.network.send_replace(Network::Whole);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server: Server, state: watch::Receiver<Network>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if *state.borrow() != Network::Cut {
            // Either side may end it as it likes.
            tokio::spawn(connect(client, server.clone(), state.clone()));
        }
    }
}

async fn connect(
    client: TcpStream,
    server: Server,
    state: watch::Receiver<Network>,
) -> io::Result<()> {
    let passed = async {
        match server {
            Server::Port(address) => pass(client, TcpStream::connect(address).await?, &state).await,
            Server::Socket(path) => pass(client, UnixStream::connect(path).await?, &state).await,
        }
    };
    // It keeps both ends open although nothing is passed any more.
    let mut passed = pin!(passed);
    tokio::select! {
        biased;
        () = becomes(&state, Network::Silent) => pending().await,
        () = becomes(&state, Network::Cut) => Ok(()),
        passed = &mut passed => passed,
    }
}

async fn becomes(state: &watch::Receiver<Network>, wanted: Network) {
    drop(state.clone().wait_for(|network| *network == wanted).await);
}

async fn pass(
    client: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
    state: &watch::Receiver<Network>,
) -> io::Result<()> {
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    tokio::select! {
        passed = copy(from_client, to_server, None) => passed,
        passed = copy(from_server, to_client, Some(state.clone())) => passed,
    }
}

/// `held`: nothing is handed on while answers are.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut held: Option<watch::Receiver<Network>>,
) -> io::Result<()> {
    let mut block = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut block).await?;
        if length == 0 {
            return Ok(());
        }
        if let Some(state) = &mut held {
            let let_go = state
                .wait_for(|network| *network != Network::AnswersHeld)
                .await;
            let_go.map_err(io::Error::other)?;
        }
        to.write_all(&block[..length]).await?;
    }
}
