//! Whose record is whose: answers are matched to what was sent by identity, never by position.

use super::supporter::Supporter;

/// The ways in which one supporter can be told from another.
pub(super) struct SupporterIdentity {
    id: Option<String>,
    email: Option<String>,
    external_id: Option<String>,
}

impl SupporterIdentity {
    pub(super) fn of(supporter: &Supporter) -> Self {
        Self {
            id: supporter.id().map(folded),
            email: supporter.email().map(folded),
            external_id: supporter.external_id().map(|id| id.trim().to_owned()),
        }
    }

    /// The identity of somebody of whom only Salsa's own id is known.
    pub(super) fn of_id(id: &str) -> Self {
        Self {
            id: Some(folded(id)),
            email: None,
            external_id: None,
        }
    }

    /// Whether `answered` is an answer to this one: by supporterId where both have one, else by the
    /// EMAIL contact or by externalSystemId (Salsa may write an email in its own way).
    pub(super) fn is_answered_by(&self, answered: &Self) -> bool {
        match (&self.id, &answered.id) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => {
                both(&self.email, &answered.email) || both(&self.external_id, &answered.external_id)
            }
        }
    }
}

fn both(ours: &Option<String>, theirs: &Option<String>) -> bool {
    ours.is_some() && ours == theirs
}

/// UUIDs and emails are the same in any case.
pub(super) fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}
