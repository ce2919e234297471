//! The vendors' base addresses.

use std::fmt;

use super::{
    key::Shape,
    setting::{Setting, Wrong, text},
};
use crate::vendors::is_loopback;

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
        let url = reqwest::Url::parse(&self.0);
        url.is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url))
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
        let url = reqwest::Url::parse(written).map_err(|error| {
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
