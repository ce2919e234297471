//! What a PUT would change of a supporter, field by field, and what the supporter would be then.

use serde::Serialize;

use super::{
    census::{self, CensusField, FieldAccess},
    supporter::{CustomField, Fields, Supporter},
};
use crate::compare::FieldChange;

/// What a document would change.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct SupporterDiff {
    /// In the order of the census.
    pub fields: Vec<FieldChange>,
    /// Fields that the document sends as Salsa has them.
    pub unchanged: usize,
}

/// What the `document` of a [`merge`](super::merge) would change of `current`; every field is new where there is none.
pub fn difference(current: Option<&Supporter>, document: &Supporter) -> SupporterDiff {
    let nobody = Supporter::default();
    let current = current.unwrap_or(&nobody);
    let mut difference = SupporterDiff::default();
    let mut compare = |field: String, old: Option<&str>, new: &str| {
        if old == Some(new) {
            difference.unchanged += 1;
            return;
        }
        difference.fields.push(FieldChange {
            field,
            old: old.map(str::to_owned),
            new: new.to_owned(),
        });
    };
    for (name, value) in written(&census::CENSUS, &document.census) {
        compare(name.to_owned(), current.census_field(name), value);
    }
    for (name, value) in written(&census::ADDRESS, &document.address) {
        compare(
            format!("address.{name}"),
            current.address_field(name),
            value,
        );
    }
    for contact in &document.contacts {
        let old = current.contact(&contact.kind);
        compare(format!("contacts.{}", contact.kind), old, &contact.value);
    }
    for custom in &document.custom {
        if let (Some(name), Some(value)) = (&custom.name, &custom.value) {
            compare(format!("custom.{name}"), current.custom_field(name), value);
        }
    }
    difference
}

/// What a document says of a supporter beyond which one it is.
fn written<'f>(
    table: &'static [CensusField],
    fields: &'f Fields,
) -> impl Iterator<Item = (&'static str, &'f str)> {
    let written = table
        .iter()
        .filter(|field| field.access == FieldAccess::Mapped);
    written.filter_map(|field| Some((field.name, fields.get(field.name)?.as_str())))
}

/// What Salsa would have once it has taken the document. A supporter that was added has no supporterId here.
pub fn updated(current: Option<&Supporter>, document: &Supporter) -> Supporter {
    let mut updated = current.cloned().unwrap_or_default();
    updated.census.extend(document.census.clone());
    updated.address.extend(document.address.clone());
    updated.contacts.clone_from(&document.contacts);
    for custom in &document.custom {
        match updated
            .custom
            .iter_mut()
            .find(|known| is_same(known, custom))
        {
            Some(known) => known.value.clone_from(&custom.value),
            None => updated.custom.push(custom.clone()),
        }
    }
    updated
}

fn is_same(a: &CustomField, b: &CustomField) -> bool {
    a.name.is_some() && a.name == b.name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::salsa_upsert::{SupporterKey, merge, patch::SupporterPatch};

    fn supporter(record: Value) -> Supporter {
        Supporter::read(&record).unwrap()
    }

    fn known() -> Supporter {
        supporter(json!({
            "supporterId": "s-1", "firstName": "Ada", "externalSystemId": "7", "lastModified": "2026-01-01",
            "address": {"addressLine1": "1 Old St", "city": "Leeds", "latitude": "53"},
            "contacts": [
                {"type": "EMAIL", "value": "ada@example.org", "status": "OPT_OUT"},
                {"type": "WORK_PHONE", "value": "+441"},
            ],
            "customFieldValues": [
                {"fieldId": "f-1", "name": "Employer", "value": "Acme"},
                {"fieldId": "f-2", "name": "Club", "value": "Chess"},
            ],
        }))
    }

    /// One line a field.
    fn told(difference: &SupporterDiff) -> Vec<String> {
        let line = |change: &FieldChange| {
            let old = change.old.as_deref().unwrap_or("-");
            format!("{}: {old} -> {}", change.field, change.new)
        };
        difference.fields.iter().map(line).collect()
    }

    fn patch(value: &str) -> SupporterPatch {
        SupporterPatch {
            key: SupporterKey::ExternalId("7".into()),
            census: [(census::EXTERNAL_ID, "7".to_owned())].into(),
            address: [("city", value.to_owned())].into(),
            contacts: [("WORK_PHONE", value.to_owned())].into(),
            custom: vec![
                ("Employer".into(), value.into()),
                ("Job Title".into(), value.into()),
            ],
            row_email: Some("work@example.org".into()),
        }
    }

    #[test]
    fn what_changes_is_told_with_both_values_and_the_rest_is_counted() {
        let current = known();
        let document = merge(Some(&current), &patch("X"), false).unwrap();
        let difference = difference(Some(&current), &document);
        assert_eq!(
            told(&difference),
            [
                "address.city: Leeds -> X",
                "contacts.WORK_PHONE: +441 -> X",
                "custom.Employer: Acme -> X",
                "custom.Job Title: - -> X",
            ]
        );
        // firstName, externalSystemId, addressLine1 and the email; never an id or what Salsa alone sets.
        assert_eq!(difference.unchanged, 4);
    }

    #[test]
    fn a_supporter_that_is_added_has_nothing_yet() {
        let document = merge(None, &patch("X"), true).unwrap();
        let difference = difference(None, &document);
        assert!(difference.fields.iter().all(|change| change.old.is_none()));
        assert_eq!(difference.unchanged, 0);
        assert!(told(&difference).contains(&"contacts.EMAIL: - -> work@example.org".to_owned()));
    }

    #[test]
    fn what_a_document_does_not_name_stays() {
        let current = known();
        let document = merge(Some(&current), &patch("X"), false).unwrap();
        let after = updated(Some(&current), &document);
        assert_eq!(after.custom_field("Club"), Some("Chess"));
        assert_eq!(after.custom_field("Employer"), Some("X"));
        assert_eq!(after.email_status(), Some("OPT_OUT"));
        assert_eq!(after.id(), Some("s-1"));
    }

    proptest! {
        #[test]
        fn a_document_that_was_taken_changes_nothing_when_it_comes_again(
            values in prop::collection::vec("[a-c]{1,2}", 1..6), exists in any::<bool>(),
        ) {
            let mut current = exists.then(known);
            for value in values {
                let wanted = patch(&value);
                let document = merge(current.as_ref(), &wanted, true).unwrap();
                let first = difference(current.as_ref(), &document);
                let after = updated(current.as_ref(), &document);
                for change in &first.fields {
                    prop_assert_ne!(change.old.as_ref(), Some(&change.new));
                }
                let again = merge(Some(&after), &wanted, false).unwrap();
                let second = difference(Some(&after), &again);
                prop_assert!(second.fields.is_empty());
                prop_assert_eq!(second.unchanged, first.fields.len() + first.unchanged);
                current = Some(after);
            }
        }
    }
}
