//! Networks, as `console.trusted_proxies` names them.

use std::{net::IpAddr, str::FromStr};

/// Addresses that begin alike: `10.0.0.0/8`, `fd00::/8`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: u128,
    bits: u32,
}

/// A text names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is neither an address nor a network")]
pub struct NoNetwork;

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => {
                (address, Some(length.parse::<u32>().map_err(|_| NoNetwork)?))
            }
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| NoNetwork)?;
        // IPv4 addresses are the last 32 bits of their mapped form.
        let (all, before) = if address.is_ipv4() {
            (32, 96)
        } else {
            (128, 0)
        };
        let length = length.unwrap_or(all);
        if length > all {
            return Err(NoNetwork);
        }
        let bits = before + length;
        Ok(Self {
            first: number(address) & mask(bits),
            bits,
        })
    }
}

impl Network {
    /// Whether `address` is one of them.
    pub fn holds(&self, address: IpAddr) -> bool {
        number(address) & mask(self.bits) == self.first
    }
}

fn mask(bits: u32) -> u128 {
    u128::MAX.checked_shl(128 - bits).unwrap_or(0)
}

fn number(address: IpAddr) -> u128 {
    let mapped = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    u128::from(mapped)
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
