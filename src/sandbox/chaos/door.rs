//! A door in front of a server: shut, it refuses connections as if nobody listened behind it.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream, UnixStream},
    task::{JoinHandle, JoinSet},
};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// What is behind a door.
#[derive(Debug, Clone)]
pub enum Behind {
    /// `host:port`
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// A port of this machine that leads to a server.
pub struct ChaosProxy {
    address: SocketAddr,
    behind: Behind,
    accepting: Option<JoinHandle<Infallible>>,
    /// While shut: bound and not listening. The port stays ours, and the kernel refuses connections to it.
    shut: Option<TcpSocket>,
}

impl ChaosProxy {
    /// An open one, on a free port.
    pub fn new(behind: Behind) -> io::Result<Self> {
        let socket = bound((Ipv4Addr::LOCALHOST, 0).into())?;
        let mut door = Self {
            address: socket.local_addr()?,
            behind,
            accepting: None,
            shut: Some(socket),
        };
        door.open()?;
        Ok(door)
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets connections through.
    pub fn open(&mut self) -> io::Result<()> {
        if let Some(socket) = self.shut.take() {
            let listener = socket.listen(BACKLOG)?;
            self.accepting = Some(tokio::spawn(accept(listener, self.behind.clone())));
        }
        Ok(())
    }

    /// Refuses connections and ends those that there are.
    pub async fn shut(&mut self) -> io::Result<()> {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // It can only end by that; with it go its listener and its connections.
            let _ = accepting.await;
            self.shut = Some(bound(self.address)?);
        }
        Ok(())
    }

    /// Ends every connection; new ones are let through.
    pub async fn cut(&mut self) -> io::Result<()> {
        self.shut().await?;
        self.open()
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // The port has connections that have just ended.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Accepts until it is dropped, which ends every connection.
async fn accept(listener: TcpListener, behind: Behind) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(through(stream, behind.clone()));
        }
        while connections.try_join_next().is_some() {}
    }
}

/// A connection that fails just ends, as it would without a door.
async fn through(mut near: TcpStream, behind: Behind) -> io::Result<()> {
    near.set_nodelay(true)?;
    match behind {
        Behind::Tcp(address) => {
            let mut far = TcpStream::connect(address).await?;
            far.set_nodelay(true)?;
            copy_bidirectional(&mut near, &mut far).await?;
        }
        Behind::Unix(path) => {
            let mut far = UnixStream::connect(path).await?;
            copy_bidirectional(&mut near, &mut far).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Answers every byte with itself.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        address
    }

    async fn answers(stream: &mut TcpStream) -> bool {
        let mut byte = [7];
        stream.write_all(&byte).await.is_ok() && stream.read_exact(&mut byte).await.is_ok()
    }

    #[tokio::test]
    async fn a_shut_door_refuses_and_ends_what_was_open_until_it_opens_again() {
        let mut door = ChaosProxy::new(Behind::Tcp(echo().await.to_string())).unwrap();
        let mut before = TcpStream::connect(door.address()).await.unwrap();
        assert!(answers(&mut before).await);

        door.shut().await.unwrap();
        assert!(!answers(&mut before).await);
        let refused = TcpStream::connect(door.address()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        door.open().unwrap();
        let mut after = TcpStream::connect(door.address()).await.unwrap();
        assert!(answers(&mut after).await);
        door.cut().await.unwrap();
        assert!(!answers(&mut after).await);
        let mut last = TcpStream::connect(door.address()).await.unwrap();
        assert!(answers(&mut last).await);
    }
}
