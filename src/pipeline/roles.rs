//! What a process does.

use std::sync::LazyLock;

use clap::{ValueEnum, builder::PossibleValue};
use jobs::destination::Destination;

/// A part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Fetches changes from AlumnIQ.
    Producer,
    /// Applies changes to a destination.
    Consumer(Destination),
    /// Tells AlumnIQ which changes were handled.
    Acknowledger,
    /// Serves the operators' pages.
    Console,
}

/// Every role, in the order of a change's way.
static ALL: LazyLock<Vec<Role>> = LazyLock::new(|| {
    let consumers = Destination::ALL.map(Role::Consumer);
    let (before, after) = ([Role::Producer], [Role::Acknowledger, Role::Console]);
    [&before[..], &consumers, &after].concat()
});

impl Role {
    /// The word of `--roles`, logs and heartbeats.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer(destination) => destination.as_str(),
            Self::Acknowledger => "acknowledger",
            Self::Console => "console",
        }
    }

    /// Every role that carries changes.
    pub fn carriers() -> impl Iterator<Item = Self> {
        ALL.iter().copied().filter(|role| *role != Self::Console)
    }
}

impl ValueEnum for Role {
    fn value_variants<'a>() -> &'a [Self] {
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Producer => {
                "Fetches changes from AlumnIQ; one process of the fleet at a time does".to_owned()
            }
            Self::Consumer(destination) => {
                format!("Applies changes to {}", destination.noun())
            }
            Self::Acknowledger => "Tells AlumnIQ which changes were handled".to_owned(),
            Self::Console => "Serves the operators' pages".to_owned(),
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}
