//! Addresses: the vendors' base addresses, and what holds for any.

use std::{fmt, net::IpAddr};

use reqwest::Url;

use super::{
    key::Shape,
    setting::{Setting, Wrong, text},
};

/// An `http` or `https` address without credentials, query, fragment or trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// As text, e.g. `https://crm.example.edu/crms/api`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether secrets and personal data would cross a network unencrypted.
    pub(super) fn is_unencrypted(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for BaseUrl {
    const SHAPE: Shape = Shape::Text;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        let written = text(value)?.trim();
        let url = Url::parse(written).map_err(|error| {
            Wrong::new(format!("is no web address ({error})"))
                .help("write the whole address, e.g. https://host.example.edu/path")
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Wrong::new("must start with https:// (or http://)"));
        }
        // Behind a stray slash a password is a part of the path.
        if !url.username().is_empty() || url.password().is_some() || url.path().contains('@') {
            return Err(Wrong::new("must not hold a user or a password")
                .help("credentials have keys of their own"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Wrong::new("must end before any `?` or `#`"));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

/// Whether the host is this machine by its very name.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// `host:port`, to tell people which machine is meant.
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_name_and_by_number() {
        for (url, loopback) in [
            ("http://localhost:1", true),
            ("http://LOCALHOST", true),
            ("http://crm.localhost", true),
            ("http://127.0.0.1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:80", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
            ("http://notlocalhost", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), loopback, "{url}");
        }
    }
}
