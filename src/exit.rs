//! How a command ends. Scripts and people rely on the numbers.

use std::process::ExitCode;

use jobs::catalogue::Explanation;

const ENDED_EARLY: &str =
    "Nothing is lost: what it held returns when its leases end. Run it again.";

/// Every exit code of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked for.
    Good,
    /// It could not.
    Failed,
    /// It was asked for something that makes no sense: wrong usage or configuration.
    Usage,
    /// It did all it could; the rest is a person's.
    NeedsAPerson,
    /// SIGINT (Ctrl-C) ended it before it was done: 128 and the signal's number, as a shell has it.
    Interrupted,
    /// SIGTERM, or a terminal that was closed, ended it before it was done.
    Terminated,
}

impl Exit {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Good,
        Self::Failed,
        Self::Usage,
        Self::NeedsAPerson,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number that the system sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NeedsAPerson => 3,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// For people.
    pub const fn explained(self) -> Explanation {
        match self {
            Self::Good => Explanation {
                means: "good",
                cause: "It did what it was asked for.",
                fix: "–",
            },
            Self::Failed => Explanation {
                means: "failed",
                cause: "Redis or a vendor could not be used, a check failed, or what was named does not exist; stderr says which.",
                fix: "Mend what stderr names, and run it again: nothing is done twice.",
            },
            Self::Usage => Explanation {
                means: "wrong usage or configuration",
                cause: "An option, or a key or value in the configuration, is wrong; nothing was begun.",
                fix: "stderr names it, with the line and the nearest right one: correct it.",
            },
            Self::NeedsAPerson => Explanation {
                means: "finished but something needs a person",
                cause: "`sync --wait` left dead letters, `preview` saw some coming, or `reconcile` found a difference; a supporter was not deleted; no contact matches.",
                fix: "See `alumniq-relay dead list`, or what the command printed.",
            },
            Self::Interrupted => Explanation {
                means: "ended by Ctrl-C before it was done",
                cause: "SIGINT; a second one where the first one drains.",
                fix: ENDED_EARLY,
            },
            Self::Terminated => Explanation {
                means: "ended by SIGTERM before it was done",
                cause: "SIGTERM, or a terminal that was closed; a second one where the first one drains.",
                fix: ENDED_EARLY,
            },
        }
    }

    /// All in one sentence, as `--help` and the README have it.
    pub fn sentence() -> String {
        let codes = Self::ALL.map(|exit| format!("{} {}", exit.code(), exit.explained().means));
        format!("Exit codes: {}.", codes.join(", "))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
