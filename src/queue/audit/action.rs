//! What can be done.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:tt,)*) => {
        /// What somebody did.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        pub enum AuditAction {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl AuditAction {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The wire name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

actions! {
    /// Letters were brought back.
    Replayed = "replayed",
    /// The same, even over a newer change.
    ReplayedOverNewer = "replayed_over_newer",
    /// Letters were given up.
    Discarded = "discarded",
    /// A row was changed by hand.
    Edited = "edited",
    /// A gate was shut.
    Paused = "paused",
    /// A gate was opened.
    Resumed = "resumed",
    /// A person's data was removed.
    Erased = "erased",
    /// The books were mended against AlumnIQ's feed.
    Reconciled = "reconciled",
    /// Somebody looked at a row's data.
    Revealed = "revealed",
    /// A bulk began.
    BulkStarted = "bulk_started",
    /// A bulk was called off.
    BulkCancelled = "bulk_cancelled",
    /// Somebody logged in.
    LoggedIn = "logged_in",
    /// A login was refused.
    LoginRefused = "login_refused",
    /// Payloads were encrypted anew.
    Rekeyed = "rekeyed",
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such action")]
pub struct NoAction;

impl FromStr for AuditAction {
    type Err = NoAction;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.iter().copied();
        all.find(|action| action.as_str() == word).ok_or(NoAction)
    }
}
