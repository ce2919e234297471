//! Which row keys hold which field. Schools name their keys differently (AlumnIQ's page shows
//! only a few), so each canonical field accepts a list of keys that the configuration can replace.

use std::collections::{BTreeMap, HashMap};

/// Canonical field and the keys it accepts by default, the preferred one first.
const DEFAULTS: [(&str, &str); 19] = [
    ("changeId", "changeId change_id"),
    ("xid", "xid"),
    (
        "changedOn",
        "changedOn changed_on changedDate changed_date changeDate change_date dateChanged date_changed",
    ),
    ("source", "source changeSource change_source"),
    (
        "employer",
        "employer employerName employer_name company companyName company_name organization organisation",
    ),
    (
        "jobTitle",
        "jobTitle job_title workTitle work_title position",
    ),
    (
        "address1",
        "address1 address_1 addressLine1 address_line_1 workAddress1 work_address_1 street1",
    ),
    (
        "address2",
        "address2 address_2 addressLine2 address_line_2 workAddress2 work_address_2 street2",
    ),
    (
        "address3",
        "address3 address_3 addressLine3 address_line_3 workAddress3 work_address_3 street3",
    ),
    ("city", "city workCity work_city"),
    ("state", "state workState work_state province"),
    ("stateiso", "stateiso state_iso"),
    (
        "postalCode",
        "postalCode postal_code postcode zip zipCode zip_code workPostalCode work_postal_code workZip work_zip",
    ),
    ("country", "country workCountry work_country"),
    ("countryiso", "countryiso country_iso"),
    (
        "email",
        "email emailAddress email_address workEmail work_email",
    ),
    (
        "phone",
        "phone phoneNumber phone_number workPhone work_phone",
    ),
    (
        "mobile",
        "mobile mobilePhone mobile_phone cell cellPhone cell_phone",
    ),
    ("fax", "fax workFax work_fax"),
];

/// Canonical fields and the row keys that each accepts, compared without regard to case because CFML
/// may upper-case keys.
#[derive(Debug, Clone)]
pub struct FieldNames {
    fields: Vec<(String, Vec<String>)>,
    /// Lower-case key -> (index into `fields`, rank in that field's list).
    by_key: HashMap<String, (usize, usize)>,
}

/// A list of names that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldNamesError {
    /// Two fields claim one key.
    #[error(
        "the row key `{key}` stands under both `{first}` and `{second}`; list it under one of them and \
         give the other its own list, e.g. `alumniq.fields.{first} = [\"…\"]`"
    )]
    Shared {
        /// The key as written.
        key: String,
        /// The field that has it already.
        first: String,
        /// The field that claims it too.
        second: String,
    },
    /// One field is configured twice, in different spellings.
    #[error("`alumniq.fields.{0}` is given twice (names differ only in case); keep one of them")]
    Twice(String),
    /// A key is blank.
    #[error("`alumniq.fields.{0}` lists a blank key; remove it")]
    BlankKey(String),
    /// Without this field no change can be told from another.
    #[error(
        "`alumniq.fields.changeId` is empty; name at least one row key that holds the changeId"
    )]
    NoChangeId,
    /// A new field whose name no template could use.
    #[error(
        "`alumniq.fields.{0}` cannot be used in templates; a field's name is a letter followed by \
         letters, digits and underscores"
    )]
    BadName(String),
}

impl Default for FieldNames {
    /// The canonical fields of the work-profile feed with their usual keys.
    fn default() -> Self {
        let fields: Vec<(String, Vec<String>)> = DEFAULTS
            .iter()
            .map(|(name, keys)| {
                (
                    (*name).to_owned(),
                    keys.split(' ').map(str::to_owned).collect(),
                )
            })
            .collect();
        let by_key = index(&fields).unwrap_or_default(); // a test holds that the defaults share no key
        Self { fields, by_key }
    }
}

impl FieldNames {
    /// The defaults with `alumniq.fields.*` laid over them: a list replaces the default list of its
    /// field (an empty one switches the field off), a new name adds a field that templates can use.
    ///
    /// # Errors
    /// When a key would stand under two fields, a key is blank, or a name cannot be used.
    pub fn with_overrides(
        overrides: &BTreeMap<String, Vec<String>>,
    ) -> Result<Self, FieldNamesError> {
        let mut fields = Self::default().fields;
        let mut given: Vec<String> = Vec::new();
        for (name, keys) in overrides {
            if given.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                return Err(FieldNamesError::Twice(name.clone()));
            }
            given.push(name.clone());
            if keys.iter().any(|key| key.trim().is_empty()) {
                return Err(FieldNamesError::BlankKey(name.clone()));
            }
            let known = fields
                .iter_mut()
                .find(|(field, _)| field.eq_ignore_ascii_case(name));
            match known {
                Some((field, _)) if field == "changeId" && keys.is_empty() => {
                    return Err(FieldNamesError::NoChangeId);
                }
                Some((_, list)) => list.clone_from(keys),
                None if usable_in_templates(name) => fields.push((name.clone(), keys.clone())),
                None => return Err(FieldNamesError::BadName(name.clone())),
            }
        }
        let by_key = index(&fields)?;
        Ok(Self { fields, by_key })
    }

    /// The canonical names, which are the names that templates use.
    pub fn canonical(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    /// The row keys that `canonical` accepts, the preferred one first.
    pub fn keys(&self, canonical: &str) -> &[String] {
        self.fields
            .iter()
            .find(|(name, _)| name == canonical)
            .map_or(&[], |(_, keys)| keys)
    }

    /// Number of canonical fields.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Position of the field that `key` belongs to, and the key's rank in that field's list.
    pub(super) fn lookup(&self, key: &str) -> Option<(usize, usize)> {
        self.by_key.get(&fold(key)).copied()
    }
}

fn index(
    fields: &[(String, Vec<String>)],
) -> Result<HashMap<String, (usize, usize)>, FieldNamesError> {
    let mut by_key: HashMap<String, (usize, usize)> = HashMap::new();
    for (position, (name, keys)) in fields.iter().enumerate() {
        for (rank, key) in keys.iter().enumerate() {
            let (first, _) = *by_key.entry(fold(key)).or_insert((position, rank));
            if first != position {
                return Err(FieldNamesError::Shared {
                    key: key.clone(),
                    first: fields[first].0.clone(),
                    second: name.clone(),
                });
            }
        }
    }
    Ok(by_key)
}

fn fold(key: &str) -> String {
    key.trim().to_lowercase()
}

fn usable_in_templates(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(entries: &[(&str, &[&str])]) -> Result<FieldNames, FieldNamesError> {
        let entries = entries.iter().map(|(name, keys)| {
            (
                (*name).to_owned(),
                keys.iter().map(|key| (*key).to_owned()).collect(),
            )
        });
        FieldNames::with_overrides(&entries.collect())
    }

    #[test]
    fn the_default_lists_share_no_key() {
        let names = FieldNames::default();
        assert!(index(&names.fields).is_ok());
        assert_eq!(names.canonical().count(), DEFAULTS.len());
    }

    #[test]
    fn a_list_replaces_the_default_list() {
        let names = overrides(&[("Employer", &["firm"])]).unwrap();
        assert_eq!(names.keys("employer"), ["firm"]);
        assert_eq!(names.lookup("EMPLOYER"), None);
        assert!(names.lookup("FIRM").is_some());
    }

    #[test]
    fn a_new_name_adds_a_field() {
        let names = overrides(&[("department", &["dept"])]).unwrap();
        assert!(names.canonical().any(|name| name == "department"));
        assert!(names.lookup("Dept").is_some());
    }

    #[test]
    fn lists_that_cannot_work_are_refused() {
        assert!(matches!(
            overrides(&[("department", &["Company"])]),
            Err(FieldNamesError::Shared { .. })
        ));
        assert!(matches!(
            overrides(&[("email", &["e"]), ("EMAIL", &["f"])]),
            Err(FieldNamesError::Twice(_))
        ));
        assert!(matches!(
            overrides(&[("email", &[" "])]),
            Err(FieldNamesError::BlankKey(_))
        ));
        assert!(matches!(
            overrides(&[("changeid", &[])]),
            Err(FieldNamesError::NoChangeId)
        ));
        assert!(matches!(
            overrides(&[("job title", &["jt"])]),
            Err(FieldNamesError::BadName(_))
        ));
    }
}
