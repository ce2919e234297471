//! Who did what.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who acts: a person, and which way the action came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The name that the person goes by; not checked against anything.
    pub name: String,
    /// Which way.
    pub via: Via,
}

/// Which way an action came. The wire name is the lower-case word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The command line, straight to Redis.
    Command,
    /// A page of the console.
    Console,
    /// The JSON API.
    Api,
}

impl Actor {
    /// `name`, at the command line.
    pub fn at_command(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            via: Via::Command,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
