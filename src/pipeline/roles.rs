//! What a process does.

use clap::ValueEnum;

/// A part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Role {
    /// Fetches changes from AlumnIQ; one process of the fleet at a time does
    Producer,
    /// Applies changes to the CRM
    Crm,
    /// Applies changes to Salsa
    Salsa,
    /// Tells AlumnIQ which changes were handled
    Acknowledger,
    /// Serves the operators' pages
    Console,
}

impl Role {
    /// The word of `--roles`, logs and heartbeats.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Crm => "crm",
            Self::Salsa => "salsa",
            Self::Acknowledger => "acknowledger",
            Self::Console => "console",
        }
    }
}
