//! Salsa's supporters: the email is their key.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::rules::{self, CENSUS, CUSTOM_FIELDS};
use crate::{data::Constituent, seeded};

/// One contact of a supporter; the status is the email's alone.
#[derive(Debug, Clone)]
struct Contact {
    value: String,
    status: Option<String>,
}

/// One supporter.
#[derive(Debug, Clone)]
pub(crate) struct StoredSupporter {
    id: String,
    census: Map<String, Value>,
    address: Map<String, Value>,
    contacts: Vec<(String, Contact)>,
    custom: [Option<String>; CUSTOM_FIELDS.len()],
    created: Timestamp,
    modified: Timestamp,
}

/// What a PUT did to one supporter, beyond what was asked.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) resubscribed: bool,
    pub(super) email_moved: bool,
    pub(super) address_fields_erased: u64,
}

/// All supporters, by what they can be found by.
#[derive(Debug)]
pub(crate) struct Supporters {
    seed: u64,
    all: Vec<Option<StoredSupporter>>,
    by_id: HashMap<String, usize>,
    by_email: HashMap<String, usize>,
    by_external_id: HashMap<String, Vec<usize>>,
}

impl Supporters {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            all: Vec::new(),
            by_id: HashMap::new(),
            by_email: HashMap::new(),
            by_external_id: HashMap::new(),
        }
    }

    pub(crate) fn add_person(&mut self, person: &Constituent) {
        let status = if person.opted_out {
            "OPT_OUT"
        } else {
            "OPT_IN"
        };
        let mut supporter = json!({
            "firstName": person.given_name,
            "lastName": person.surname,
            "externalSystemId": person.xid,
            "contacts": [
                { "type": "CELL_PHONE", "value": person.mobile },
                { "type": "EMAIL", "value": person.email, "status": status },
            ],
        });
        if person.has_address {
            supporter["address"] = json!({
                "addressLine1": "5 Home Lane", "city": "Hometown", "state": "NY",
                "postalCode": "10001", "county": "Kings", "country": "US",
            });
        }
        let index = self.add();
        self.apply(index, &supporter);
        if let Some(Some(added)) = self.all.get_mut(index) {
            // A past that differs, so that a search by modification date has something to tell apart.
            let hours = 24 + i64::try_from(index % 2000).unwrap_or(0);
            let past = Timestamp::now() - jiff::SignedDuration::from_hours(hours);
            (added.created, added.modified) = (past, past);
        }
    }

    pub(super) fn add(&mut self) -> usize {
        let index = self.all.len();
        let now = Timestamp::now();
        let number = u64::try_from(index).unwrap_or(u64::MAX);
        let id = seeded::uuid(seeded::mix(self.seed) ^ number);
        self.by_id.insert(id.clone(), index);
        self.all.push(Some(StoredSupporter {
            id,
            census: Map::new(),
            address: Map::new(),
            contacts: Vec::new(),
            custom: [const { None }; CUSTOM_FIELDS.len()],
            created: now,
            modified: now,
        }));
        index
    }

    pub(super) fn get(&self, index: usize) -> Option<&StoredSupporter> {
        self.all.get(index)?.as_ref()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(&id.to_ascii_lowercase()).copied()
    }

    pub(super) fn by_email(&self, email: &str) -> Option<usize> {
        self.by_email.get(&email.trim().to_lowercase()).copied()
    }

    pub(super) fn by_external_id(&self, id: &str) -> &[usize] {
        self.by_external_id.get(id).map_or(&[], Vec::as_slice)
    }

    /// Those modified in the period, oldest modification first.
    pub(super) fn modified(&self, from: Timestamp, to: Option<Timestamp>) -> Vec<usize> {
        let within = |supporter: &StoredSupporter| {
            supporter.modified >= from && to.is_none_or(|to| supporter.modified <= to)
        };
        let mut found: Vec<_> = (0..self.all.len())
            .filter_map(|index| {
                Some((
                    self.get(index).filter(|found| within(found))?.modified,
                    index,
                ))
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, index)| index).collect()
    }

    /// Whether another supporter already has the email.
    pub(super) fn email_taken(&self, index: usize, email: &str) -> bool {
        self.by_email(email).is_some_and(|owner| owner != index)
    }

    /// Applies a valid supporter. Objects that it leaves out stay; an address that it has replaces
    /// the whole address.
    pub(super) fn apply(&mut self, index: usize, sent: &Value) -> Effects {
        let mut effects = Effects::default();
        let Some(Some(supporter)) = self.all.get_mut(index) else {
            return effects;
        };
        let (email_before, external_before) = (
            supporter.email(),
            supporter.external_id().map(str::to_owned),
        );
        for (field, _) in CENSUS {
            match sent.get(*field) {
                Some(Value::Null) => drop(supporter.census.shift_remove(*field)),
                Some(value) => drop(supporter.census.insert((*field).to_owned(), value.clone())),
                None => {}
            }
        }
        if let Some(address) = sent.get("address").filter(|address| address.is_object()) {
            let whole = rules::whole_address(address);
            let erased =
                |field: &&String| !whole.contains_key(*field) && address.get(*field).is_none();
            let erased = supporter.address.keys().filter(erased).count();
            effects.address_fields_erased = u64::try_from(erased).unwrap_or(0);
            supporter.address = whole;
        }
        for contact in sent["contacts"].as_array().into_iter().flatten() {
            effects.resubscribed |= supporter.set_contact(contact);
        }
        for entry in sent["customFieldValues"].as_array().into_iter().flatten() {
            if let Some(number) = rules::custom_field(entry) {
                supporter.custom[number] = entry["value"].as_str().map(str::to_owned);
            }
        }
        supporter.modified = Timestamp::now();

        let (email, external) = (
            supporter.email(),
            supporter.external_id().map(str::to_owned),
        );
        if email != email_before {
            effects.email_moved = email_before.is_some();
            if let Some(email) = email_before {
                self.by_email.remove(&email);
            }
            if let Some(email) = email {
                self.by_email.insert(email, index);
            }
        }
        if external != external_before {
            let before = external_before.and_then(|id| self.by_external_id.get_mut(&id));
            if let Some(sharing) = before {
                sharing.retain(|other| *other != index);
            }
            if let Some(id) = external {
                self.by_external_id.entry(id).or_default().push(index);
            }
        }
        effects
    }

    pub(super) fn delete(&mut self, id: &str) -> bool {
        let Some(index) = self.by_id.remove(&id.to_ascii_lowercase()) else {
            return false;
        };
        if let Some(supporter) = self.all.get_mut(index).and_then(Option::take) {
            if let Some(email) = supporter.email() {
                self.by_email.remove(&email);
            }
            let external = supporter.external_id().map(str::to_owned);
            if let Some(sharing) = external.and_then(|id| self.by_external_id.get_mut(&id)) {
                sharing.retain(|other| *other != index);
            }
        }
        true
    }

    /// The supporters of an external id, as a search shows them.
    pub(crate) fn of_person(&self, xid: &str) -> Vec<Value> {
        let found = self.by_external_id(xid).iter();
        found
            .filter_map(|&index| Some(json!(self.get(index)?.document())))
            .collect()
    }
}

impl StoredSupporter {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn external_id(&self) -> Option<&str> {
        self.census.get("externalSystemId")?.as_str()
    }

    fn email(&self) -> Option<String> {
        let (_, email) = self.contacts.iter().find(|(kind, _)| kind == "EMAIL")?;
        Some(email.value.trim().to_lowercase())
    }

    /// Returns whether it subscribed somebody who had opted out or bounced.
    fn set_contact(&mut self, sent: &Value) -> bool {
        let text = |key: &str| sent[key].as_str().unwrap_or_default().to_owned();
        let (kind, value) = (text("type"), text("value"));
        let is_email = kind == "EMAIL";
        let status = sent["status"]
            .as_str()
            .filter(|_| is_email)
            .map(str::to_owned);
        let known = self.contacts.iter_mut().find(|(known, _)| *known == kind);
        let Some((_, contact)) = known else {
            let status = is_email.then(|| status.unwrap_or_else(|| "OPT_IN".to_owned()));
            self.contacts.push((kind, Contact { value, status }));
            return false;
        };
        contact.value = value;
        let Some(status) = status else { return false };
        let before = contact.status.replace(status);
        contact.status.as_deref() == Some("OPT_IN") && before.as_deref() != Some("OPT_IN")
    }

    /// The supporter as a search shows it: fields without a value are left out.
    pub(super) fn document(&self) -> SupporterDocument<'_> {
        let contacts = self.contacts.iter().map(|(kind, contact)| ShownContact {
            kind,
            value: &contact.value,
            status: contact.status.as_deref(),
        });
        let custom = rules::CUSTOM_FIELDS.iter().zip(&self.custom);
        let custom = custom.filter_map(|(field, value)| {
            Some(ShownCustomField {
                field_id: field.id,
                name: field.name,
                value: value.as_deref()?,
                kind: "STRING",
            })
        });
        SupporterDocument {
            supporter_id: &self.id,
            result: "FOUND",
            census: &self.census,
            created_date: self.created,
            last_modified: self.modified,
            address: (!self.address.is_empty()).then_some(ShownAddress {
                written: &self.address,
                federal_house_district: "NY-09",
                lattitude: 40.65,
            }),
            contacts: contacts.collect(),
            custom_field_values: custom.collect(),
        }
    }
}

/// A supporter on the wire.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SupporterDocument<'a> {
    supporter_id: &'a str,
    result: &'static str,
    #[serde(flatten)]
    census: &'a Map<String, Value>,
    created_date: Timestamp,
    last_modified: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<ShownAddress<'a>>,
    contacts: Vec<ShownContact<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    custom_field_values: Vec<ShownCustomField<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownAddress<'a> {
    #[serde(flatten)]
    written: &'a Map<String, Value>,
    federal_house_district: &'static str,
    lattitude: f64,
}

#[derive(Debug, Serialize)]
struct ShownContact<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownCustomField<'a> {
    field_id: &'static str,
    name: &'static str,
    value: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
}
