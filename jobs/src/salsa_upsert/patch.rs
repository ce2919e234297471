//! What one change wants of a supporter.

use std::fmt;

use super::{
    census::{self, CensusField, ValueRule},
    supporter::Fields,
    wire::IdentifierType,
};
use crate::problem::RuleViolation;

/// What a supporter is found by.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum SupporterKey {
    /// `externalSystemId`, the change's xid.
    ExternalId(String),
    /// The row's work email: an anonymous change, where these are allowed.
    Email(String),
}

impl SupporterKey {
    /// The kind of search that finds it.
    pub const fn kind(&self) -> IdentifierType {
        match self {
            Self::ExternalId(_) => IdentifierType::ExternalId,
            Self::Email(_) => IdentifierType::EmailAddress,
        }
    }

    /// The identifier that the search takes.
    pub fn value(&self) -> &str {
        match self {
            Self::ExternalId(value) | Self::Email(value) => value,
        }
    }
}

/// Names the kind only: the value is personal data.
impl fmt::Debug for SupporterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().as_str())
    }
}

/// What one change wants: whom, and which values. A field that the row leaves blank is not in it and
/// stays as it is in Salsa.
#[derive(Clone, PartialEq, Eq)]
pub struct SupporterPatch {
    pub(super) key: SupporterKey,
    pub(super) census: Fields,
    pub(super) address: Fields,
    /// Contacts by type.
    pub(super) contacts: Fields,
    /// Custom fields' names and values.
    pub(super) custom: Vec<(String, String)>,
    /// The row's work email: the EMAIL contact of a supporter that is to be added.
    pub(super) row_email: Option<String>,
}

impl SupporterPatch {
    /// What the supporter is found by.
    pub fn key(&self) -> &SupporterKey {
        &self.key
    }

    /// Whether nothing of the change is mapped to Salsa, so that an existing supporter stays as it is.
    pub fn is_empty(&self) -> bool {
        self.census.keys().all(|name| *name == census::EXTERNAL_ID)
            && self.address.is_empty()
            && self.contacts.is_empty()
            && self.custom.is_empty()
    }

    /// Every value, under its name in `[salsa.map]`.
    pub fn values(&self) -> impl Iterator<Item = (String, &str)> {
        let census = self
            .census
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value));
        let address = self
            .address
            .iter()
            .map(|(name, value)| (format!("address.{name}"), value));
        let contacts = self
            .contacts
            .iter()
            .map(|(name, value)| (format!("contacts.{name}"), value));
        let custom = self
            .custom
            .iter()
            .map(|(name, value)| (format!("custom.{name}"), value));
        census
            .chain(address)
            .chain(contacts)
            .chain(custom)
            .map(|(name, value)| (name, value.as_str()))
    }

    /// Every rule that a value of the change breaks.
    pub(super) fn problems(&self) -> Vec<RuleViolation> {
        let census = broken(&census::CENSUS, &self.census, |name| name.to_owned());
        let address = broken(&census::ADDRESS, &self.address, |name| {
            format!("address.{name}")
        });
        let contacts = broken(&census::CONTACTS, &self.contacts, contact_path);
        census.chain(address).chain(contacts).collect()
    }
}

/// Names fields only: their values are personal data.
impl fmt::Debug for SupporterPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupporterPatch")
            .field("key", &self.key)
            .field("census", &self.census.keys())
            .field("address", &self.address.keys())
            .field("contacts", &self.contacts.keys())
            .field("custom", &self.custom.len())
            .finish()
    }
}

/// The problem of the row's work email, where it is to find or to become an EMAIL contact.
pub(super) fn email_problem(email: &str) -> Option<RuleViolation> {
    ValueRule::Email
        .broken_by(email)
        .map(|rule| RuleViolation::new("the work email", rule))
}

fn contact_path(kind: &str) -> String {
    format!("contacts[{kind}].value")
}

fn broken(
    table: &'static [CensusField],
    fields: &Fields,
    path: impl Fn(&str) -> String,
) -> impl Iterator<Item = RuleViolation> {
    table.iter().filter_map(move |field| {
        let rule = field.rule.broken_by(fields.get(field.name)?)?;
        Some(RuleViolation::new(path(field.name), rule))
    })
}
