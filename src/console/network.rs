//! Whose address a request comes from: the peer's, or, behind a proxy of ours, the one that the proxy saw.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use axum::http::HeaderMap;

use crate::config::Network;

/// The other end of the connection, put into each request by the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub IpAddr);

/// Who knocks, as the throttle tells them apart: an IPv4 address, or the /64 of an IPv6 one, of which everybody has
/// plenty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client(String);

impl Client {
    /// Of a request from `peer`. Of `X-Forwarded-For` only what our own proxies wrote counts: from the right, up to
    /// the first address that is none of `proxies`.
    pub fn of(peer: Option<Peer>, headers: &HeaderMap, proxies: &[Network]) -> Self {
        let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.0);
        let is_ours = |address: IpAddr| proxies.iter().any(|network| network.holds(address));
        let mut nearest = peer.to_canonical();
        let lines: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|line| line.to_str().ok())
            .collect();
        for hop in lines.join(",").rsplit(',') {
            let Ok(address) = hop.trim().parse::<IpAddr>() else {
                break;
            };
            if !is_ours(nearest) {
                break;
            }
            nearest = address.to_canonical();
        }
        Self(match nearest {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let first = u128::from(address) >> 64 << 64;
                format!("{}/64", Ipv6Addr::from(first))
            }
        })
    }

    /// As a key and in the audit.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let lines = forwarded
            .iter()
            .map(|line| ("x-forwarded-for".parse().unwrap(), line.parse().unwrap()));
        let proxies: Vec<Network> = proxies.iter().map(|text| text.parse().unwrap()).collect();
        let peer = Peer(peer.parse().unwrap());
        Client::of(Some(peer), &lines.collect(), &proxies).to_string()
    }

    #[test]
    fn nobody_chooses_the_own_address_by_a_header() {
        assert_eq!(client("203.0.113.9", &["10.0.0.1"], &[]), "203.0.113.9");
        let proxies = ["10.0.0.0/8"];
        assert_eq!(client("203.0.113.9", &["1.1.1.1"], &proxies), "203.0.113.9");
        assert_eq!(
            client("10.0.0.5", &["1.1.1.1, 203.0.113.9"], &proxies),
            "203.0.113.9"
        );
        assert_eq!(
            client("10.0.0.5", &["1.1.1.1", "203.0.113.9, 10.3.3.3"], &proxies),
            "203.0.113.9"
        );
        assert_eq!(client("10.0.0.5", &["nonsense"], &proxies), "10.0.0.5");
        assert_eq!(client("10.0.0.5", &[], &proxies), "10.0.0.5");
    }

    #[test]
    fn one_household_of_ipv6_is_one_client() {
        let (one, other) = (
            client("2001:db8:1:2:3::1", &[], &[]),
            client("2001:db8:1:2:4::9", &[], &[]),
        );
        assert_eq!(one, other);
        assert_ne!(one, client("2001:db8:1:3::1", &[], &[]));
        assert_eq!(client("::ffff:203.0.113.9", &[], &[]), "203.0.113.9");
    }
}
