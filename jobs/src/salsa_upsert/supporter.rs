//! A supporter as Salsa has it and as a PUT sends it.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use serde_json::{Map, Value};

use super::census::{self, CensusField, FieldAccess};

/// The non-blank values of one object's fields, by their names in the census tables.
pub(super) type Fields = BTreeMap<&'static str, String>;

/// A supporter's whole census: read tolerantly (unknown fields ignored, NULL and blank fields absent,
/// both spellings of a name, numbers for text), written strictly (no read-only field, no `status`).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Supporter {
    pub(super) census: Fields,
    pub(super) address: Fields,
    pub(super) contacts: Vec<SupporterContact>,
    pub(super) custom: Vec<CustomField>,
}

/// One contact; a supporter has at most one of each type. A type that the census does not know is
/// kept as well: it is Salsa's, and leaving it out of a PUT could remove it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SupporterContact {
    pub(super) kind: String,
    pub(super) value: String,
    /// Only read, for people; an update that names it could resubscribe someone who opted out.
    pub(super) status: Option<String>,
}

/// One custom field's value, by id or by name.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct CustomField {
    pub(super) field_id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) value: Option<String>,
}

impl Supporter {
    /// Reads one record of an answer's `supporters`. `None` when it is not an object.
    pub fn read(record: &Value) -> Option<Self> {
        let record = record.as_object()?;
        Some(Self {
            census: read_fields(&census::CENSUS, record),
            address: record
                .get("address")
                .and_then(Value::as_object)
                .map(|address| read_fields(&census::ADDRESS, address))
                .unwrap_or_default(),
            contacts: read_contacts(record.get("contacts")),
            custom: read_custom(record.get("customFieldValues")),
        })
    }

    /// Salsa's own id, a UUID; `None` for a supporter that is to be added.
    pub fn id(&self) -> Option<&str> {
        self.census_field(census::SUPPORTER_ID)
    }

    /// The caller's id: AlumnIQ's xid.
    pub fn external_id(&self) -> Option<&str> {
        self.census_field(census::EXTERNAL_ID)
    }

    /// The EMAIL contact's value, as Salsa has it.
    pub fn email(&self) -> Option<&str> {
        self.contact(census::EMAIL)
    }

    /// A census field by its name, e.g. `lastModified`.
    pub fn census_field(&self, name: &str) -> Option<&str> {
        self.census.get(name).map(String::as_str)
    }

    /// An address field by its name, e.g. `addressLine1`.
    pub fn address_field(&self, name: &str) -> Option<&str> {
        self.address.get(name).map(String::as_str)
    }

    /// A contact's value by its type, e.g. `WORK_PHONE`.
    pub fn contact(&self, kind: &str) -> Option<&str> {
        self.contacts
            .iter()
            .find(|contact| contact.kind == kind)
            .map(|contact| contact.value.as_str())
    }

    /// The EMAIL contact's status: `OPT_IN`, `OPT_OUT` or `HARD_BOUNCE`. Read only.
    pub fn email_status(&self) -> Option<&str> {
        self.contacts
            .iter()
            .find(|contact| contact.kind == census::EMAIL)
            .and_then(|contact| contact.status.as_deref())
    }

    /// A custom field's value by its name, e.g. `Job Title`.
    pub fn custom_field(&self, name: &str) -> Option<&str> {
        self.custom_named(name)
            .and_then(|field| field.value.as_deref())
    }

    pub(super) fn custom_named(&self, name: &str) -> Option<&CustomField> {
        self.custom
            .iter()
            .find(|field| field.name.as_deref() == Some(name))
    }

    /// The supporter as an item of a PUT's `supporters`: EMAIL first among the contacts, no `status`,
    /// nothing that Salsa calls not updateable, no empty object.
    pub fn document(&self) -> Value {
        let mut document = write_fields(&census::CENSUS, &self.census);
        let address = write_fields(&census::ADDRESS, &self.address);
        if !address.is_empty() {
            document.insert("address".into(), address.into());
        }
        let (email, others): (Vec<_>, Vec<_>) = self
            .contacts
            .iter()
            .partition(|contact| contact.kind == census::EMAIL);
        let contacts: Vec<_> = email.into_iter().chain(others).map(write_contact).collect();
        if !contacts.is_empty() {
            document.insert("contacts".into(), contacts.into());
        }
        let custom: Vec<_> = self.custom.iter().map(CustomField::write).collect();
        if !custom.is_empty() {
            document.insert("customFieldValues".into(), custom.into());
        }
        document.into()
    }
}

/// Names fields only: their values are personal data.
impl fmt::Debug for Supporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supporter")
            .field("census", &self.census.keys())
            .field("address", &self.address.keys())
            .field("contacts", &self.contacts.len())
            .field("custom", &self.custom.len())
            .finish()
    }
}

/// A JSON scalar as text; blank text, NULL and everything that is no scalar are absent.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn text_at(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key).and_then(text)
}

fn read_fields(table: &'static [CensusField], object: &Map<String, Value>) -> Fields {
    table
        .iter()
        .filter_map(|field| {
            std::iter::once(&field.name)
                .chain(field.also)
                .find_map(|key| text_at(object, key))
                .map(|value| (field.name, value))
        })
        .collect()
}

fn write_fields(table: &'static [CensusField], fields: &Fields) -> Map<String, Value> {
    table
        .iter()
        .filter(|field| field.access != FieldAccess::ReadOnly)
        .filter_map(|field| {
            let value = fields.get(field.name)?;
            Some((field.name.to_owned(), Value::from(value.as_str())))
        })
        .collect()
}

fn objects(value: Option<&Value>) -> impl Iterator<Item = &Map<String, Value>> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

fn read_contacts(value: Option<&Value>) -> Vec<SupporterContact> {
    let mut seen = HashSet::new();
    objects(value)
        .filter_map(|object| {
            Some(SupporterContact {
                kind: text_at(object, "type")?.trim().to_ascii_uppercase(),
                value: text_at(object, "value")?,
                status: text_at(object, "status"),
            })
        })
        .filter(|contact| seen.insert(contact.kind.clone()))
        .collect()
}

fn write_contact(contact: &SupporterContact) -> Value {
    serde_json::json!({ "type": contact.kind, "value": contact.value })
}

fn read_custom(value: Option<&Value>) -> Vec<CustomField> {
    objects(value)
        .map(|object| CustomField {
            field_id: text_at(object, "fieldId"),
            name: text_at(object, "name"),
            value: text_at(object, "value"),
        })
        .collect()
}

impl CustomField {
    /// Either `fieldId` or `name`: each "can be provided in lieu of" the other.
    fn write(&self) -> Value {
        let mut object = Map::new();
        match (&self.field_id, &self.name) {
            (Some(id), _) => object.insert("fieldId".into(), id.as_str().into()),
            (None, Some(name)) => object.insert("name".into(), name.as_str().into()),
            (None, None) => None,
        };
        object.insert("value".into(), self.value.as_deref().into());
        object.into()
    }
}
