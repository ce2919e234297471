//! Networks, as `console.trusted_proxies` names them.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// Addresses that begin alike: `10.0.0.0/8`, `fd00::/8`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// A text names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is neither an address nor a network")]
pub struct NoNetwork;

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let single = |_| text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse().or_else(single);
        network.map(Self).map_err(|_| NoNetwork)
    }
}

impl Network {
    /// Whether `address` is one of them. IPv4 addresses may come in their IPv6 form.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_begins_like_them() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.200.3.4", "11.0.0.1"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("0.0.0.0/0", "200.1.1.1", "2001:db8::1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("192.168.0.0/16", "::ffff:192.168.3.4", "::ffff:192.169.0.1"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(parsed.holds(inside.parse().unwrap()), "{network}");
            assert!(!parsed.holds(outside.parse().unwrap()), "{network}");
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "fd00::/129",
            "relay",
            "10.0.0.0/",
            "10.0.0/8",
        ] {
            assert_eq!(wrong.parse::<Network>(), Err(NoNetwork), "{wrong}");
        }
    }
}
