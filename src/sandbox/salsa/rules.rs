//! What Salsa refuses in a supporter, and where it hangs the errors: on the supporter, a contact, the
//! address or a custom field.

use serde_json::{Map, Value, json};

use crate::seeded;

/// Writable text fields of the census and their most characters (the vendor's census table).
pub(super) const CENSUS: &[(&str, usize)] = &[
    ("title", 36),
    ("firstName", 36),
    ("middleName", 36),
    ("lastName", 100),
    ("suffix", 16),
    ("externalSystemId", 100),
    ("dateOfBirth", 32),
    ("gender", 6),
];

/// Writable fields of the address and their most characters (the vendor's address table).
pub(super) const ADDRESS: &[(&str, usize)] = &[
    ("addressLine1", 128),
    ("addressLine2", 128),
    ("city", 64),
    ("state", 2),
    ("postalCode", 10),
    ("county", 64),
    ("country", 2),
];

const GENDERS: [&str; 3] = ["FEMALE", "MALE", "OTHER"];
const CONTACT_TYPES: [&str; 7] = [
    "EMAIL",
    "HOME_PHONE",
    "CELL_PHONE",
    "WORK_PHONE",
    "FACEBOOK_ID",
    "TWITTER_ID",
    "LINKEDIN_ID",
];
const STATUSES: [&str; 3] = ["OPT_IN", "OPT_OUT", "HARD_BOUNCE"];

/// A custom field as configured in Salsa.
#[derive(Debug)]
pub(super) struct ConfiguredField {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
}

/// The custom fields that are configured.
pub(super) const CUSTOM_FIELDS: [ConfiguredField; 3] = [
    ConfiguredField {
        id: "aa90e308-c2e6-48d8-834a-e9a5160e0001",
        name: EMPLOYER,
    },
    ConfiguredField {
        id: "b92c4b69-f927-4224-85a2-eda00b710002",
        name: "Job Title",
    },
    ConfiguredField {
        id: "c424ab53-7e5f-4b15-8c6c-fd0c1a550003",
        name: "Class Year",
    },
];
/// The custom field with a configured length.
const EMPLOYER: &str = "Employer";

/// The place in [`CUSTOM_FIELDS`] of the field that an entry means, by id or else by name.
pub(super) fn custom_field(entry: &Value) -> Option<usize> {
    let (id, name) = (entry["fieldId"].as_str(), entry["name"].as_str());
    CUSTOM_FIELDS.iter().position(|field| match id {
        Some(id) => field.id == id,
        None => Some(field.name) == name,
    })
}

/// The email of a supporter as sent, lower-case.
pub(super) fn email(supporter: &Value) -> Option<String> {
    let contacts = supporter["contacts"].as_array()?;
    let email = contacts.iter().find(|contact| contact["type"] == "EMAIL")?;
    let value = email["value"].as_str()?.trim().to_lowercase();
    (!value.is_empty()).then_some(value)
}

pub(super) fn error(code: u32, field: &str, message: &str) -> Value {
    let id = seeded::uuid(u64::from(code));
    json!({ "id": id, "code": code, "message": message, "details": message, "fieldName": field })
}

/// Hangs errors on an object of the answer.
pub(super) fn attach(object: &mut Value, errors: Vec<Value>) {
    if let (false, Some(object)) = (errors.is_empty(), object.as_object_mut()) {
        object.insert("errors".to_owned(), Value::Array(errors));
    }
}

/// Hangs every error where it belongs; returns whether there was none.
pub(super) fn validate(supporter: &mut Value, employer_max_length: usize) -> bool {
    let mut own = too_long(supporter, CENSUS);
    let gender = supporter["gender"].as_str();
    if gender.is_some_and(|gender| !GENDERS.contains(&gender)) {
        own.push(error(
            2002,
            "gender",
            "The value is not a constant of gender",
        ));
    }
    let email = email(supporter);
    if email.is_none() {
        own.push(error(2003, "contacts", "An EMAIL contact is required"));
    }
    let mut valid = own.is_empty();
    attach(supporter, own);

    let mut seen: Vec<String> = Vec::new();
    for contact in items(supporter, "contacts") {
        let errors = contact_errors(contact, &mut seen);
        valid &= errors.is_empty();
        attach(contact, errors);
    }
    for field in items(supporter, "customFieldValues") {
        let errors = custom_errors(field, employer_max_length);
        valid &= errors.is_empty();
        attach(field, errors);
    }
    if let Some(address) = supporter
        .get_mut("address")
        .filter(|address| !address.is_null())
    {
        let errors = too_long(address, ADDRESS);
        valid &= errors.is_empty();
        attach(address, errors);
    }
    valid
}

pub(super) fn items<'a>(
    supporter: &'a mut Value,
    key: &str,
) -> impl Iterator<Item = &'a mut Value> {
    let items = supporter.get_mut(key).and_then(Value::as_array_mut);
    items.into_iter().flatten()
}

fn too_long(object: &Value, limits: &[(&str, usize)]) -> Vec<Value> {
    let mut errors = Vec::new();
    for (field, most) in limits {
        match &object[*field] {
            Value::Null => {}
            Value::String(text) if text.chars().count() <= *most => {}
            Value::String(_) => {
                errors.push(error(2001, field, &format!("The maximum length is {most}")));
            }
            _ => errors.push(error(2004, field, "The value must be text")),
        }
    }
    errors
}

fn contact_errors(contact: &Value, seen: &mut Vec<String>) -> Vec<Value> {
    let mut errors = Vec::new();
    let kind = contact["type"].as_str().unwrap_or_default();
    let value = contact["value"].as_str().unwrap_or_default().trim();
    if !CONTACT_TYPES.contains(&kind) {
        errors.push(error(2002, "type", "The type is not a contact type"));
    }
    if seen.iter().any(|earlier| earlier == kind) {
        errors.push(error(2005, "type", "Contacts are limited to 1 per type"));
    }
    seen.push(kind.to_owned());
    if value.is_empty() {
        errors.push(error(2003, "value", "The value is required"));
    } else if kind == "EMAIL" && !is_email(value) {
        errors.push(error(
            2008,
            "value",
            "The email provided is not of correct format",
        ));
    }
    let status = &contact["status"];
    if kind == "EMAIL" && !status.is_null() && !STATUSES.iter().any(|known| status == known) {
        errors.push(error(2002, "status", "The status is not an email status"));
    }
    errors
}

fn is_email(value: &str) -> bool {
    let Some((local, domain)) = value.split_once('@') else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    !local.is_empty()
        && !value.contains(char::is_whitespace)
        && domain.chars().all(plain)
        && domain.split('.').count() > 1
        && domain.split('.').all(|label| !label.is_empty())
}

fn custom_errors(field: &Value, employer_max_length: usize) -> Vec<Value> {
    let Some(number) = custom_field(field) else {
        return vec![error(
            2010,
            "name",
            "The custom field could not be found by name or id",
        )];
    };
    let limited = CUSTOM_FIELDS[number].name == EMPLOYER;
    let most = if limited { employer_max_length } else { 0 };
    match &field["value"] {
        Value::Null => Vec::new(),
        Value::String(text) if most > 0 && text.chars().count() > most => {
            vec![error(
                2001,
                "value",
                &format!("The maximum length is {most}"),
            )]
        }
        Value::String(_) => Vec::new(),
        _ => vec![error(2004, "value", "The value must be text")],
    }
}

/// The address as stored after a document with this address: every field that is left out is empty.
pub(super) fn whole_address(sent: &Value) -> Map<String, Value> {
    let given = ADDRESS.iter().filter_map(|(field, _)| {
        let text = sent[*field].as_str().filter(|text| !text.is_empty())?;
        Some(((*field).to_owned(), json!(text)))
    });
    given.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(value: &Value, found: &mut Vec<u64>) {
        if let Some(errors) = value["errors"].as_array() {
            found.extend(errors.iter().filter_map(|error| error["code"].as_u64()));
        }
        let nested = value.as_object().into_iter().flat_map(Map::values);
        for value in nested.chain(value.as_array().into_iter().flatten()) {
            codes(value, found);
        }
    }

    #[test]
    fn every_documented_rule_is_held_and_its_error_hangs_where_it_belongs() {
        let good = json!({
            "contacts": [{ "type": "EMAIL", "value": "a@example.org", "status": "OPT_OUT" }],
            "customFieldValues": [{ "name": "Employer", "value": "x" }],
            "address": { "state": "WA" },
        });
        assert!(validate(&mut good.clone(), 10));
        for (pointer, value, code) in [
            ("/contacts", json!([]), 2003),
            ("/contacts/0/value", json!("bad@email@bad.com"), 2008),
            ("/contacts/0/status", json!("SUBSCRIBED"), 2002),
            (
                "/contacts/0",
                json!({ "type": "EMAIL_ADDRESS", "value": "a@example.org" }),
                2003,
            ),
            ("/address/state", json!("Washington"), 2001),
            ("/customFieldValues/0/name", json!("Boss"), 2010),
            ("/customFieldValues/0/value", json!("12345678901"), 2001),
            ("/customFieldValues/0/value", json!(5), 2004),
        ] {
            let mut supporter = good.clone();
            *supporter.pointer_mut(pointer).unwrap() = value;
            assert!(!validate(&mut supporter, 10), "{pointer}");
            let mut found = Vec::new();
            codes(&supporter, &mut found);
            assert!(found.contains(&code), "{pointer}: {found:?}");
        }
    }

    #[test]
    fn one_contact_a_type_and_known_constants_only() {
        let phone = json!({ "type": "WORK_PHONE", "value": "+1" });
        let mut supporter = json!({
            "gender": "M", "title": "t".repeat(37),
            "contacts": [{ "type": "EMAIL", "value": "a@example.org" }, phone, phone],
        });
        assert!(!validate(&mut supporter, 0));
        let mut found = Vec::new();
        codes(&supporter, &mut found);
        assert_eq!(found, [2001, 2002, 2005]);
    }

    #[test]
    fn a_custom_field_is_found_by_id_or_by_name() {
        for (entry, number) in [
            (json!({ "name": "Job Title" }), Some(1)),
            (json!({ "fieldId": CUSTOM_FIELDS[2].id }), Some(2)),
            (json!({ "fieldId": "nonsense", "name": "Employer" }), None),
            (json!({ "name": "employer" }), None),
        ] {
            assert_eq!(custom_field(&entry), number, "{entry}");
        }
    }
}
