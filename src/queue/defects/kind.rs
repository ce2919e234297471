//! The kinds of defects.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:tt,)*) => {
        /// A way in which the data contradict themselves.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
        )]
        pub enum DefectKind {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl DefectKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// As metrics and JSON name it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

kinds! {
    /// A person's queue of changes that no worker finds, or that two could take at once.
    Lane = "lane",
    /// An open change that is in no queue, not dead, and not to be acknowledged.
    Change = "change",
    /// A change that waits in a queue and has no row, or is closed.
    Row = "row",
    /// A closed change that keeps its row for ever, or would be acknowledged again.
    Closed = "closed",
    /// A change that is to be acknowledged and has no record.
    Acknowledgement = "acknowledgement",
    /// A dead letter that the lists do not show, or a change that is dead without one.
    Letter = "letter",
    /// A key of another type than the program's.
    Key = "key",
    /// Counters that differ from a recount, or are negative.
    Books = "books",
    /// Redis forgot what a process had seen: after a failover to a replica that lagged, or a lost end of its append-only
    /// file.
    RolledBack = "rolled_back",
}

impl fmt::Display for DefectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
