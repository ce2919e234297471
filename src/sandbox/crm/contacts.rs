//! The CRM's contacts, and how it finds the one that a document means.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde_json::{Value, json};

use super::dto::BoundDocument;
use crate::data::Constituent;

/// CrmNumber of the first contact.
const FIRST_NUMBER: usize = 5001;
const EMAILS: [&str; 2] = ["EmailAddress", "EmailAddress2"];
const PHONES: [&str; 3] = ["Mobile", "PhoneWork", "PhoneHome"];
/// Fields that each document adds to, so that a document sent twice shows twice.
const APPENDED: [&str; 4] = ["Tags", "Consents", "Courses", "Communications"];
const TRANSIENT: [&str; 7] = [
    "CrmNumber",
    "ContactNoteContent",
    "ContactNoteType",
    "CreateTask",
    "TaskType",
    "TaskDescription",
    "TaskActionDate",
];

/// One contact.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Contact {
    fields: BTreeMap<&'static str, Value>,
    notes: Vec<String>,
    tasks: Vec<Value>,
    appended: BTreeMap<&'static str, Vec<Value>>,
}

/// The three URI parameters, with the vendor's defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Matching {
    pub(super) min_confirmed_score: i64,
    pub(super) min_name_similarity: f64,
    pub(super) enabled: bool,
}

/// All contacts, by what they can be found by.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    all: Vec<Contact>,
    by_institution_id: HashMap<String, usize>,
    by_email: HashMap<String, BTreeSet<usize>>,
    by_phone: HashMap<String, BTreeSet<usize>>,
}

fn texts<'a>(fields: &'a BoundDocument, names: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    let values = names.iter().filter_map(|name| fields.get(name)?.as_str());
    values
        .map(|text| text.trim().to_lowercase())
        .filter(|text| !text.is_empty())
}

impl Contacts {
    pub(crate) fn add_person(&mut self, person: &Constituent) {
        self.create(&BoundDocument::from([
            ("StudentInstitutionId", json!(person.xid)),
            ("Name", json!(person.given_name)),
            ("Surname", json!(person.surname)),
            ("EmailAddress", json!(person.email)),
            ("Mobile", json!(person.mobile)),
        ]));
    }

    pub(super) fn create(&mut self, document: &BoundDocument) -> usize {
        self.all.push(Contact::default());
        let index = self.all.len() - 1;
        self.update(index, document);
        index
    }

    /// Fields that the document leaves out stay as they are; notes, tasks and collections grow.
    pub(super) fn update(&mut self, index: usize, document: &BoundDocument) {
        self.unindex(index);
        let contact = &mut self.all[index];
        let text = |name| {
            document
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        contact.notes.extend(text("ContactNoteContent"));
        if document
            .get("CreateTask")
            .is_some_and(|create| *create == json!(true))
        {
            contact.tasks.push(json!(text("TaskDescription")));
        }
        for (&name, value) in document {
            if let (true, Some(items)) = (APPENDED.contains(&name), value.as_array()) {
                contact
                    .appended
                    .entry(name)
                    .or_default()
                    .extend(items.iter().cloned());
            } else if !TRANSIENT.contains(&name) {
                contact.fields.insert(name, value.clone());
            }
        }
        self.index(index);
    }

    /// Makes the contact findable by its present values.
    fn index(&mut self, index: usize) {
        let fields = &self.all[index].fields;
        if let Some(id) = fields.get("StudentInstitutionId").and_then(Value::as_str) {
            self.by_institution_id.insert(id.to_owned(), index);
        }
        for email in texts(fields, &EMAILS) {
            self.by_email.entry(email).or_default().insert(index);
        }
        for phone in texts(fields, &PHONES) {
            self.by_phone.entry(phone).or_default().insert(index);
        }
    }

    /// Undoes `index`, before the values change.
    fn unindex(&mut self, index: usize) {
        let fields = &self.all[index].fields;
        for (found_by, names) in [
            (&mut self.by_email, &EMAILS[..]),
            (&mut self.by_phone, &PHONES[..]),
        ] {
            for key in texts(fields, names) {
                if let Some(sharing) = found_by.get_mut(&key) {
                    sharing.remove(&index);
                    if sharing.is_empty() {
                        found_by.remove(&key);
                    }
                }
            }
        }
    }

    /// By CrmNumber alone where there is one; else, if matching is enabled, by institution id, then
    /// by the best score. Of equal scores the highest CrmNumber wins: it may be the wrong person.
    pub(super) fn find(&self, document: &BoundDocument, matching: Matching) -> Option<usize> {
        if let Some(number) = document.get("CrmNumber") {
            let number = match number {
                Value::String(text) => text.trim().parse().ok()?,
                number => usize::try_from(number.as_u64()?).ok()?,
            };
            return number
                .checked_sub(FIRST_NUMBER)
                .filter(|&index| index < self.all.len());
        }
        if !matching.enabled {
            return None;
        }
        let institution_id = document.get("StudentInstitutionId").and_then(Value::as_str);
        let known = institution_id.and_then(|id| self.by_institution_id.get(id));
        known
            .copied()
            .or_else(|| self.best_match(document, matching))
    }

    fn best_match(&self, document: &BoundDocument, matching: Matching) -> Option<usize> {
        let mut scores: BTreeMap<usize, i64> = BTreeMap::new();
        let shared = |index: &HashMap<String, BTreeSet<usize>>, keys: Vec<String>| {
            let found = keys.into_iter().filter_map(|key| index.get(&key).cloned());
            found.flatten().collect::<BTreeSet<_>>()
        };
        for index in shared(&self.by_email, texts(document, &EMAILS).collect()) {
            *scores.entry(index).or_default() += 85;
        }
        for index in shared(&self.by_phone, texts(document, &PHONES).collect()) {
            *scores.entry(index).or_default() += 60;
        }
        for (index, score) in &mut scores {
            let similarity = self.name_similarity(*index, document);
            *score += 15 * i64::from(similarity >= matching.min_name_similarity);
        }
        let confirmed = scores
            .into_iter()
            .filter(|(_, score)| *score >= matching.min_confirmed_score);
        confirmed
            .max_by_key(|(index, score)| (*score, *index))
            .map(|(index, _)| index)
    }

    fn name_similarity(&self, index: usize, document: &BoundDocument) -> f64 {
        let name = |fields: &BoundDocument| {
            texts(fields, &["Name", "Surname"])
                .collect::<Vec<_>>()
                .join(" ")
        };
        let (given, known) = (name(document), name(&self.all[index].fields));
        match given.is_empty() {
            true => 0.0,
            false => strsim::jaro_winkler(&given, &known),
        }
    }

    pub(super) fn crm_number(index: usize) -> usize {
        FIRST_NUMBER + index
    }

    /// The institution id under which the contact is known.
    pub(super) fn institution_id(&self, index: usize) -> Option<&str> {
        self.all
            .get(index)?
            .fields
            .get("StudentInstitutionId")?
            .as_str()
    }

    /// The contact of an institution id.
    pub(crate) fn of_person(&self, xid: &str) -> Option<&Contact> {
        self.all.get(*self.by_institution_id.get(xid)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: Matching = Matching {
        min_confirmed_score: 82,
        min_name_similarity: 0.4,
        enabled: true,
    };

    fn contacts() -> Contacts {
        let mut contacts = Contacts::default();
        for (id, email, phone) in [
            ("a", "a@example.org", "+1"),
            ("b", "shared@example.org", "+2"),
            ("c", "shared@example.org", "+1"),
        ] {
            contacts.create(&BoundDocument::from([
                ("StudentInstitutionId", json!(id)),
                ("Name", json!("Ada")),
                ("EmailAddress", json!(email)),
                ("Mobile", json!(phone)),
            ]));
        }
        contacts
    }

    #[test]
    fn a_document_finds_its_contact_as_the_vendor_says() {
        let contacts = contacts();
        let disabled = Matching {
            enabled: false,
            ..DEFAULTS
        };
        let lenient = Matching {
            min_confirmed_score: 60,
            ..DEFAULTS
        };
        for (document, matching, found) in [
            (
                json!({ "CrmNumber": 5002, "StudentInstitutionId": "a" }),
                DEFAULTS,
                Some(1),
            ),
            (
                json!({ "CrmNumber": 9 , "StudentInstitutionId": "a" }),
                DEFAULTS,
                None,
            ),
            (json!({ "StudentInstitutionId": "a" }), DEFAULTS, Some(0)),
            (json!({ "StudentInstitutionId": "a" }), disabled, None),
            (json!({ "CrmNumber": "5001" }), disabled, Some(0)),
            (
                json!({ "StudentInstitutionId": "new", "EmailAddress2": "A@example.org" }),
                DEFAULTS,
                Some(0),
            ),
            (
                json!({ "EmailAddress": "shared@example.org" }),
                DEFAULTS,
                Some(2),
            ),
            (
                json!({ "EmailAddress": "shared@example.org", "Mobile": "+2" }),
                DEFAULTS,
                Some(1),
            ),
            (json!({ "PhoneWork": "+2" }), DEFAULTS, None),
            (json!({ "PhoneWork": "+2" }), lenient, Some(1)),
            (
                json!({ "PhoneWork": "+2", "Name": "Zoltan" }),
                lenient,
                Some(1),
            ),
            (json!({}), DEFAULTS, None),
        ] {
            let bound = super::super::dto::bind(document.as_object().unwrap()).unwrap();
            assert_eq!(
                contacts.find(&bound, matching),
                found,
                "{document} {matching:?}"
            );
        }
    }

    #[test]
    fn a_document_sent_twice_leaves_two_notes_and_keeps_what_it_leaves_out() {
        let mut contacts = contacts();
        let document = BoundDocument::from([
            ("ContactNoteContent", json!("note")),
            ("PhoneWork", json!("+3")),
            ("Tags", json!([{ "Tag": "t" }])),
        ]);
        contacts.update(0, &document);
        contacts.update(0, &document);
        let contact = contacts.of_person("a").unwrap();
        assert_eq!(contact.notes, ["note", "note"]);
        assert_eq!(contact.appended["Tags"].len(), 2);
        assert_eq!(contact.fields["Mobile"], "+1");
        assert_eq!(contact.fields["PhoneWork"], "+3");
    }
}
