//! The two roles.

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsoleRole {
    /// May look.
    Viewer,
    /// May look and act.
    Operator,
}

impl ConsoleRole {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }

    /// Whom the audit names where somebody gave no name.
    pub fn nobody_in_particular(self) -> &'static str {
        match self {
            Self::Viewer => "a viewer",
            Self::Operator => "an operator",
        }
    }
}
