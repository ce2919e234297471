//! The systems that a change is applied to: one table, from which everything else takes their names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares the destinations, and the vendors: the destinations and AlumnIQ.
macro_rules! destinations {
    ($($(#[$doc:meta])* $name:ident {
        word: $word:tt, label: $label:literal, noun: $noun:literal, bit: $bit:literal, batch: $batch:expr,
    })*) => {
        /// A system that changes are applied to. The wire name is the lower-case word.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
        )]
        pub enum Destination {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        /// A system that the relay calls: the destinations, and AlumnIQ itself, which lists changes and is told which
        /// of them were handled. Pauses, limits and dead letters belong to a vendor. The wire name is the lower-case
        /// word.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
        )]
        pub enum Vendor {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
            /// AlumnIQ: the feed and its acknowledgement.
            #[serde(rename = "alumniq")]
            Alumniq,
        }

        impl Destination {
            /// Every destination, in the order in which they are shown.
            pub const ALL: [Self; [$($bit),*].len()] = [$(Self::$name),*];

            /// The wire name, as it stands in Redis keys, JSON, metrics and commands.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What people call it.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// The same within a sentence.
            pub const fn noun(self) -> &'static str {
                match self { $(Self::$name => $noun,)* }
            }

            /// Changes a call; `None`: as many as the vendor says.
            pub const fn batch(self) -> Option<u32> {
                match self { $(Self::$name => $batch,)* }
            }

            /// What one attempt is in a trace.
            pub const fn step(self) -> &'static str {
                match self { $(Self::$name => concat!("apply to ", $word),)* }
            }

            /// The destination's bit in a change's set of pending destinations (see the queue's lanes). No bit may be left
            /// out, see [`Vendor::bit`].
            pub const fn bit(self) -> u8 {
                match self { $(Self::$name => $bit,)* }
            }
        }

        impl Vendor {
            /// Every vendor, in the order in which they are shown.
            pub const ALL: [Self; Destination::ALL.len() + 1] = [$(Self::$name,)* Self::Alumniq];

            /// The destination that it is; `None` for AlumnIQ.
            pub const fn destination(self) -> Option<Destination> {
                match self {
                    $(Self::$name => Some(Destination::$name),)*
                    Self::Alumniq => None,
                }
            }
        }

        impl From<Destination> for Vendor {
            fn from(destination: Destination) -> Self {
                match destination { $(Destination::$name => Self::$name,)* }
            }
        }
    };
}

destinations! {
    /// The university's CRM (QS).
    Crm { word: "crm", label: "CRM", noun: "the CRM", bit: 1, batch: Some(1), }
    /// Salsa Engage.
    Salsa { word: "salsa", label: "Salsa", noun: "Salsa", bit: 2, batch: None, }
}

impl Vendor {
    /// The vendor's bit in the set of vendors at which a change is dead; AlumnIQ's is the one above all destinations'.
    pub const fn bit(self) -> u8 {
        match self.destination() {
            Some(destination) => destination.bit(),
            None => 1 << Destination::ALL.len(),
        }
    }

    /// The wire name, as it stands in Redis keys, JSON, metrics and commands.
    pub const fn as_str(self) -> &'static str {
        match self.destination() {
            Some(destination) => destination.as_str(),
            None => "alumniq",
        }
    }

    /// What people call it.
    pub const fn label(self) -> &'static str {
        match self.destination() {
            Some(destination) => destination.label(),
            None => "AlumnIQ",
        }
    }

    /// The same within a sentence.
    pub const fn noun(self) -> &'static str {
        match self.destination() {
            Some(destination) => destination.noun(),
            None => self.label(),
        }
    }

    /// What people call it where it begins a sentence.
    pub fn subject(self) -> String {
        let mut subject = self.noun().to_owned();
        if let Some(first) = subject.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        subject
    }

    /// All of them by their wire names, as an enumeration ends with `word`.
    pub fn listed(word: &str) -> String {
        enumeration(&Self::ALL.map(Self::as_str), word)
    }
}

impl Destination {
    /// All of them by their wire names, as an enumeration ends with `word`.
    pub fn listed(word: &str) -> String {
        enumeration(&Self::ALL.map(Self::as_str), word)
    }
}

/// `crm, salsa or alumniq`.
fn enumeration(names: &[&str], word: &str) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no vendor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown destination `{0}`: use {names}", names = Vendor::listed("or"))]
pub struct UnknownVendor(String);

impl FromStr for Vendor {
    type Err = UnknownVendor;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|vendor| vendor.as_str() == word)
            .ok_or_else(|| UnknownVendor(word.to_owned()))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown destination `{0}`: use {names}", names = Destination::listed("or"))]
pub struct UnknownDestination(String);

impl FromStr for Destination {
    type Err = UnknownDestination;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|destination| destination.as_str() == word)
            .ok_or_else(|| UnknownDestination(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_destination_has_a_name_and_a_bit_of_its_own_and_alumniq_has_the_last_name() {
        let mut bits = 0;
        for destination in Destination::ALL {
            assert_eq!(destination.bit().count_ones(), 1, "{destination}");
            assert_eq!(bits & destination.bit(), 0, "{destination}");
            bits |= destination.bit();
            assert_eq!(destination.as_str().parse(), Ok(destination));
            assert_eq!(Vendor::from(destination).destination(), Some(destination));
            let json = serde_json::to_string(&Vendor::from(destination)).unwrap();
            assert_eq!(json, format!("\"{destination}\""));
        }
        // One more is AlumnIQ's bit, in the set of the vendors at which a change is dead.
        assert!((bits + 1).is_power_of_two(), "the bits leave a gap: {bits}");
        assert_eq!(Vendor::Alumniq.bit(), bits + 1);
        assert_eq!(Vendor::ALL.last(), Some(&Vendor::Alumniq));
    }

    #[test]
    fn a_word_that_names_nothing_is_told_the_names() {
        let error = "mars".parse::<Vendor>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown destination `mars`: use crm, salsa or alumniq"
        );
        let error = "alumniq".parse::<Destination>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown destination `alumniq`: use crm or salsa"
        );
    }

    #[test]
    fn a_sentence_may_begin_with_a_vendor() {
        assert_eq!(Vendor::Crm.subject(), "The CRM");
        assert_eq!(Vendor::Alumniq.subject(), "AlumnIQ");
    }
}
