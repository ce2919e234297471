//! Ports, and whom a process talks to over the network, as the kernel sees it.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::TcpSocket;

/// A port of 127.0.0.1 on which nobody listens. The kernel gives it to nobody else while this lives; a server that
/// asks for it by its number gets it.
pub struct Port {
    socket: TcpSocket,
}

impl Port {
    /// A free one.
    pub fn hold() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // With it on both sides, only one that listens is in the way.
        socket.set_reuseaddr(true).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self { socket }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub fn number(&self) -> u16 {
        self.address().port()
    }
}

/// The far ends of the TCP connections and UDP associations that process `pid` holds open now.
pub fn remote_ends(pid: u32) -> BTreeSet<SocketAddr> {
    let own = sockets(pid);
    let mut ends = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let Ok(table) = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")) else {
            continue; // it may have ended
        };
        for line in table.lines().skip(1) {
            let columns: Vec<_> = line.split_whitespace().collect();
            let end = address(columns[2]);
            // A listening socket has no far end.
            if own.contains(columns[9]) && end.port() != 0 {
                ends.insert(end);
            }
        }
    }
    ends
}

/// The inodes of its sockets.
fn sockets(pid: u32) -> BTreeSet<String> {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return BTreeSet::new();
    };
    files
        .flatten()
        .filter_map(|file| {
            let target = std::fs::read_link(file.path()).ok()?;
            let inode = target
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect()
}

/// `0100007F:1F90`: the address in words of the machine's byte order, the port as a number.
fn address(text: &str) -> SocketAddr {
    let (address, port) = text.split_once(':').unwrap();
    let words = address.as_bytes().chunks(8);
    let bytes: Vec<u8> = words
        .flat_map(|word| {
            let word = u32::from_str_radix(std::str::from_utf8(word).unwrap(), 16);
            word.unwrap().to_ne_bytes()
        })
        .collect();
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(bytes) => IpAddr::from(bytes),
        Err(_) => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap())),
    };
    SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).unwrap())
}
