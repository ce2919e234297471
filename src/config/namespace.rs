//! `namespace`: which campus.

use std::fmt;

use super::{
    key::{Shape, default},
    section::section,
    setting::{Setting, Wrong, text},
};

section! {
    /// alumniq-relay carries work-profile changes from AlumnIQ to the CRM and to Salsa Engage.
    TopConfig at "" {
        /// The prefix of every Redis key: one a campus, so that several share a Redis.
        namespace: Namespace = default("alumniq"),
    }
}

/// A Redis namespace: letters, digits, `_`, `.`, `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Namespace(String);

impl Namespace {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for Namespace {
    const SHAPE: Shape = Shape::Text;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        let name = text(value)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        match name.len() {
            1..=64 if name.chars().all(allowed) => Ok(Self(name.to_owned())),
            _ => Err(Wrong::new(
                "must be 1 to 64 letters (A-Z, a-z), digits, `_`, `.` or `-`",
            )),
        }
    }
}
