//! The one table of a supporter's fields: names, rules and what may be written. Reading, writing,
//! validation and the names that `[salsa.map]` knows all follow from it.
//!
//! Source of every row: Salsa's page "API for Supporter Data" (Supporter Census, Address, Contact and
//! Custom Field objects). `also` holds the second spellings that its own examples and answers use.

use std::fmt;

use crate::formats;

/// One field of the census, the address or the contacts (there, a contact's type).
#[derive(Debug)]
pub struct CensusField {
    /// The name in a PUT, e.g. `addressLine1`.
    pub name: &'static str,
    /// Further spellings in answers, e.g. `line1`.
    pub also: &'static [&'static str],
    /// What a value must keep to.
    pub rule: ValueRule,
    /// Who may set it.
    pub access: FieldAccess,
}

/// Who may set a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldAccess {
    /// A mapping may.
    Mapped,
    /// Salsa sets it; it is sent back because it says which supporter is meant.
    Key,
    /// "Not updateable": Salsa sets it and never gets it back.
    ReadOnly,
}

/// What a value must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueRule {
    /// At most so many characters.
    MaxChars(usize),
    /// A code of two letters.
    TwoLetters,
    /// One of these constants.
    OneOf(&'static [&'static str]),
    /// An ISO 8601 instant in GMT.
    GmtInstant,
    /// A valid email address.
    Email,
    /// A phone number in E.164 form. Salsa takes any text; the form is AlumnIQ's promise ("Phone
    /// numbers should always be in e.164 format") and what Salsa's text messages need.
    E164,
    /// Salsa publishes no rule.
    Unpublished,
}

const fn mapped(name: &'static str, rule: ValueRule) -> CensusField {
    CensusField {
        name,
        also: &[],
        rule,
        access: FieldAccess::Mapped,
    }
}

const fn spelt(name: &'static str, also: &'static [&'static str], rule: ValueRule) -> CensusField {
    CensusField {
        also,
        ..mapped(name, rule)
    }
}

const fn read_only(name: &'static str, also: &'static [&'static str]) -> CensusField {
    CensusField {
        access: FieldAccess::ReadOnly,
        ..spelt(name, also, ValueRule::Unpublished)
    }
}

/// The field that says which supporter a PUT updates.
pub const SUPPORTER_ID: &str = "supporterId";
/// The field that holds AlumnIQ's xid.
pub const EXTERNAL_ID: &str = "externalSystemId";
/// The contact that every supporter must have; Salsa finds existing supporters by it.
pub const EMAIL: &str = "EMAIL";
/// A custom field's name has at most so many characters.
pub const CUSTOM_NAME_CHARS: usize = 64;

/// The Supporter Census object, without `address`, `contacts`, `customFieldValues` and `result`.
pub const CENSUS: [CensusField; 11] = [
    CensusField {
        access: FieldAccess::Key,
        ..mapped(SUPPORTER_ID, ValueRule::MaxChars(36))
    },
    mapped("title", ValueRule::MaxChars(36)),
    mapped("firstName", ValueRule::MaxChars(36)),
    mapped("middleName", ValueRule::MaxChars(36)),
    mapped("lastName", ValueRule::MaxChars(100)),
    mapped("suffix", ValueRule::MaxChars(16)),
    mapped("dateOfBirth", ValueRule::GmtInstant),
    mapped("gender", ValueRule::OneOf(&["FEMALE", "MALE", "OTHER"])),
    mapped(EXTERNAL_ID, ValueRule::MaxChars(100)),
    read_only("createdDate", &[]),
    read_only("lastModified", &["lastModifiedDate"]),
];

/// The Address object.
pub const ADDRESS: [CensusField; 14] = [
    spelt("addressLine1", &["line1"], ValueRule::MaxChars(128)),
    spelt("addressLine2", &["line2"], ValueRule::MaxChars(128)),
    mapped("city", ValueRule::MaxChars(64)),
    mapped("state", ValueRule::TwoLetters),
    mapped("postalCode", ValueRule::MaxChars(10)),
    mapped("county", ValueRule::MaxChars(64)),
    mapped("country", ValueRule::TwoLetters),
    read_only("federalHouseDistrict", &["federalDistrict"]),
    read_only("stateHouseDistrict", &[]),
    read_only("stateSenateDistrict", &[]),
    read_only("countyDistrict", &[]),
    read_only("municipalityDistrict", &[]),
    read_only("latitude", &["lattitude"]),
    read_only("longitude", &[]),
];

/// The Contact object's types. EMAIL stands first because it is the one that Salsa requires.
pub const CONTACTS: [CensusField; 7] = [
    mapped(EMAIL, ValueRule::Email),
    mapped("HOME_PHONE", ValueRule::E164),
    mapped("CELL_PHONE", ValueRule::E164),
    mapped("WORK_PHONE", ValueRule::E164),
    mapped("FACEBOOK_ID", ValueRule::Unpublished),
    mapped("TWITTER_ID", ValueRule::Unpublished),
    mapped("LINKEDIN_ID", ValueRule::Unpublished),
];

impl CensusField {
    /// Whether a mapping may set it.
    pub fn is_mapped(&self) -> bool {
        self.access == FieldAccess::Mapped
    }
}

impl ValueRule {
    /// The rule that `value` breaks, in words that do not quote the value.
    pub fn broken_by(&self, value: &str) -> Option<String> {
        let kept = match self {
            Self::MaxChars(most) => {
                let chars = value.chars().count();
                if chars > *most {
                    return Some(format!(
                        "has {chars} characters, at most {most} are allowed"
                    ));
                }
                true
            }
            Self::TwoLetters => value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphabetic()),
            Self::OneOf(constants) => constants.contains(&value),
            Self::GmtInstant => is_gmt_instant(value),
            Self::Email => formats::is_email(value),
            Self::E164 => formats::is_e164(value),
            Self::Unpublished => true,
        };
        (!kept).then(|| self.to_string())
    }
}

impl fmt::Display for ValueRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxChars(most) => write!(f, "must have at most {most} characters"),
            Self::TwoLetters => write!(f, "must be a code of two letters"),
            Self::OneOf(constants) => write!(f, "must be one of {}", constants.join(", ")),
            Self::GmtInstant => write!(
                f,
                "must be an ISO 8601 time in GMT, like 2016-05-27T04:00:00.000Z"
            ),
            Self::Email => write!(f, "must be a valid email address"),
            Self::E164 => write!(
                f,
                "must be a phone number in E.164 form: + and 7 to 15 digits"
            ),
            Self::Unpublished => write!(f, "has no published rule"),
        }
    }
}

fn is_gmt_instant(value: &str) -> bool {
    let in_gmt = value.ends_with('Z') || value.ends_with("+00:00") || value.ends_with("+0000");
    in_gmt && formats::is_iso_date(value) && value.parse::<jiff::Timestamp>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule_of(table: &[CensusField], name: &str) -> ValueRule {
        table.iter().find(|field| field.name == name).unwrap().rule
    }

    #[test]
    fn every_documented_length_is_the_last_one_allowed() {
        let limits = [
            (&CENSUS[..], "supporterId", 36),
            (&CENSUS, "title", 36),
            (&CENSUS, "firstName", 36),
            (&CENSUS, "middleName", 36),
            (&CENSUS, "lastName", 100),
            (&CENSUS, "suffix", 16),
            (&CENSUS, "externalSystemId", 100),
            (&ADDRESS, "addressLine1", 128),
            (&ADDRESS, "addressLine2", 128),
            (&ADDRESS, "city", 64),
            (&ADDRESS, "postalCode", 10),
            (&ADDRESS, "county", 64),
        ];
        for (table, name, most) in limits {
            let rule = rule_of(table, name);
            assert_eq!(rule.broken_by(&"ö".repeat(most)), None, "{name}");
            assert_eq!(
                rule.broken_by(&"ö".repeat(most + 1)).unwrap(),
                format!("has {} characters, at most {most} are allowed", most + 1),
                "{name}"
            );
        }
    }

    #[test]
    fn forms_are_judged_as_documented() {
        let cases = [
            (ValueRule::TwoLetters, "NY", true),
            (ValueRule::TwoLetters, "NYC", false),
            (ValueRule::TwoLetters, "1A", false),
            (ValueRule::TwoLetters, "é", false),
            (rule_of(&CENSUS, "gender"), "OTHER", true),
            (rule_of(&CENSUS, "gender"), "male", false),
            (ValueRule::GmtInstant, "2016-05-27T04:00:00.000Z", true),
            (ValueRule::GmtInstant, "2016-05-27T04:00:00+00:00", true),
            (ValueRule::GmtInstant, "2016-05-27T04:00:00+02:00", false),
            (ValueRule::GmtInstant, "2016-05-27", false),
            (ValueRule::GmtInstant, "2016-02-31T04:00:00Z", false),
            (ValueRule::Email, "ada@example.org", true),
            (ValueRule::Email, "bad@email@bad.com", false),
            (ValueRule::Email, "Ada <ada@example.org>", false),
            (ValueRule::Email, "ada@", false),
            (ValueRule::Email, "ada@localhost", false),
            (ValueRule::Email, "a da@example.org", false),
            (ValueRule::E164, "+12065550123", true),
            (ValueRule::E164, "12065550123", false),
            (ValueRule::E164, "+1 206 555 0123", false),
            (ValueRule::E164, "+0123456", false),
            (ValueRule::E164, "+1234567890123456", false),
            (ValueRule::E164, "+", false),
            (ValueRule::Unpublished, "anything", true),
        ];
        for (rule, value, kept) in cases {
            assert_eq!(
                rule.broken_by(value).is_none(),
                kept,
                "{rule:?} of {value:?}"
            );
        }
    }

    #[test]
    fn a_broken_rule_never_quotes_the_value() {
        let secret = "S3cret@@".repeat(30);
        for field in CENSUS.iter().chain(&ADDRESS).chain(&CONTACTS) {
            let told = field.rule.broken_by(&secret).unwrap_or_default();
            assert!(!told.contains("S3cret"), "{}", field.name);
        }
    }
}
