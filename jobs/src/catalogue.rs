//! What can go wrong with a change or a destination, explained once in general words. The README's tables, the
//! runbook and the command line take it from here; one case's own cause and advice stand in its dead letter.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a person wants to know of one thing that can go wrong. In Markdown, without a line's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// What it is.
    pub means: &'static str,
    /// What it usually comes from.
    pub cause: &'static str,
    /// What a person usually does.
    pub fix: &'static str,
}

/// Writes an enum whose variants have a wire name and an [`Explanation`], and gathers all of them in `ALL`, so that
/// there is no second list to keep.
macro_rules! catalogue {
    (
        $(#[$attribute:meta])*
        $name:ident {
            $($variant:ident = $wire:tt, $means:literal
                cause $cause:literal
                fix $fix:literal;)+
        }
    ) => {
        $(#[$attribute])*
        pub enum $name {
            $(
                #[doc = $means]
                #[serde(rename = $wire)]
                $variant,
            )+
        }

        impl $name {
            /// Every one.
            pub const ALL: [Self; [$($wire),+].len()] = [$(Self::$variant),+];

            /// The wire name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $wire,)+
                }
            }

            /// In general words.
            pub const fn explained(self) -> Explanation {
                match self {
                    $(Self::$variant => Explanation { means: $means, cause: $cause, fix: $fix },)+
                }
            }
        }
    };
}

catalogue! {
    /// Why a destination is paused. The wire name is the metric label `reason`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
    PauseReason {
        Throttled = "throttled", "The vendor asks for fewer calls."
            cause "Other programs use the same account or token, or the vendor lowered its limit."
            fix "Wait: it ends by itself. If it comes again, lower `rate_per_minute` of that destination.";
        Outage = "outage", "The vendor cannot be reached, or answers everybody with errors."
            cause "The vendor is down, something on the way to it is, or its `url` is wrong."
            fix "See the cause in `status`. Once the vendor works it goes on by itself.";
        Credentials = "credentials", "The vendor refuses our credentials."
            cause "A key, token or password has expired, was changed, or lost its rights."
            fix "Renew it and restart the processes.";
        Operator = "operator", "A person holds it with the command `pause`."
            cause "Somebody asked for it; `status` names who."
            fix "Ask them; then let it go on with the command `resume`.";
    }
}

catalogue! {
    /// The kinds of dead letters. The wire names are fixed: scripts filter on them.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
    DeadClass {
        Undecodable = "undecodable", "The row cannot be read."
            cause "AlumnIQ names its keys otherwise, or the row has no changeId or is too large, or its bytes are no text in the declared charset."
            fix "Name the school's keys in `[alumniq.fields]`, replay.";
        Anonymous = "anonymous", "The row names nobody: it has no xid."
            cause "The AlumnIQ bio is not linked to a constituent."
            fix "Link the bio in AlumnIQ, fetch, replay; or set `alumniq.anonymous = \"match\"`, replay; or discard it and carry it over by hand.";
        Mapping = "mapping", "A template fails on this row."
            cause "A template in `[crm.map]` or `[salsa.map]` did not expect such a value."
            fix "Mend the template, replay.";
        Validation = "validation", "The document breaks one of the vendor's rules; all are named."
            cause "A value is too long, or no phone number, email address or country that the vendor takes."
            fix "Mend the row or the template, replay.";
        Unmatched = "unmatched", "The destination knows nobody like that."
            cause "The person is missing there, has no or another xid, or is there twice."
            fix "Set the xid there, replay.";
        Rejected = "rejected", "The destination refused the document."
            cause "A rule that the vendor does not document, or a setting of the vendor."
            fix "See the cause: it is the vendor's own words. Mend it, replay.";
        Exhausted = "exhausted", "Every attempt failed."
            cause "The vendor fails on this change alone, or failed off and on for longer than the attempts lasted."
            fix "See the timeline. Replay; if it dies again, ask the vendor.";
        Stale = "stale", "A newer change of this person was applied, or may have been."
            cause "It arrived late, or it was replayed after the newer one."
            fix "Discard it, or apply it on purpose with `dead replay --apply-stale`.";
        Crashed = "crashed", "It kept killing the process that worked on it."
            cause "A defect of the program, or a machine that ran out of memory."
            fix "See the logs and the row, replay.";
        AckRejected = "ack_rejected", "AlumnIQ refuses the changeId."
            cause "It is marked already, was deleted, or AlumnIQ has a defect with it. Every destination has the change."
            fix "Ask AlumnIQ, then replay or discard.";
    }
}

impl fmt::Display for DeadClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no class of dead letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown dead-letter class `{0}`: use one of {classes}", classes = DeadClass::ALL.map(DeadClass::as_str).join(", "))]
pub struct UnknownClass(String);

impl std::str::FromStr for DeadClass {
    type Err = UnknownClass;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == word)
            .ok_or_else(|| UnknownClass(word.to_owned()))
    }
}
