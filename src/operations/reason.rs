//! Why an operator does something.

use std::str::FromStr;

/// How many characters a reason has at most, without the blanks around it.
pub const MAX_REASON: usize = 1000;

/// Why an operator does something, in their own words. The audit log and the timelines keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

/// Why a text is no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReason {
    /// It is blank.
    #[error("a reason is required: the audit log keeps it")]
    Missing,
    /// It has so many characters.
    #[error("a reason has at most {MAX_REASON} characters, this one has {0}")]
    TooLong(usize),
}

impl Reason {
    /// The same where none is required: `None` for a blank text.
    ///
    /// # Errors
    /// It is too long.
    pub fn optional(text: &str) -> Result<Option<Self>, InvalidReason> {
        match text.parse() {
            Ok(reason) => Ok(Some(reason)),
            Err(InvalidReason::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = InvalidReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text.chars().count() {
            0 => Err(InvalidReason::Missing),
            1..=MAX_REASON => Ok(Self(text.to_owned())),
            characters => Err(InvalidReason::TooLong(characters)),
        }
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_to_a_thousand_characters_without_the_blanks_around_it() {
        let longest = "é".repeat(MAX_REASON);
        let read = format!(" {longest}\n").parse::<Reason>();
        assert_eq!(read.unwrap().as_str(), longest);
        let longer = format!("{longest}.");
        assert_eq!(
            longer.parse::<Reason>(),
            Err(InvalidReason::TooLong(MAX_REASON + 1))
        );
        assert_eq!(" \n".parse::<Reason>(), Err(InvalidReason::Missing));
    }

    #[test]
    fn an_optional_reason_may_be_blank_but_not_too_long() {
        assert_eq!(Reason::optional(" "), Ok(None));
        let too_long = "x".repeat(MAX_REASON + 1);
        assert_eq!(
            Reason::optional(&too_long),
            Err(InvalidReason::TooLong(MAX_REASON + 1))
        );
    }
}
