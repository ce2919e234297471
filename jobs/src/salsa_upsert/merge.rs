//! Read-merge-write: what Salsa has, with what a change wants laid over it.

use super::{
    census,
    patch::{self, SupporterKey, SupporterPatch},
    supporter::{CustomField, Supporter, SupporterContact},
};
use crate::{
    outcome::{DeadClass, Outcome},
    problem,
};

/// The PUT document of one change.
///
/// "The API does not support partial updates of a specific object", and clients saw omitted fields kept
/// as well as cleared; safe under both: the census and all contacts go back as they were read, with the
/// change's values laid over them; the address likewise, but only when the change has a part of it; of the
/// custom fields only the change's. The EMAIL contact's `status` is never sent.
///
/// A document without supporterId adds; where its email already is another supporter's, Salsa updates that
/// one instead, and with it sets its `externalSystemId`.
///
/// The rules of [`census`] were held against the change's values when the patch was made; what Salsa gave
/// is not judged again.
///
/// # Errors
///
/// [`Outcome::Dead`]: `unmatched` when there is no supporter and `create_missing` is off, `validation`
/// when the document would lack the EMAIL contact that Salsa requires.
pub fn merge(
    current: Option<&Supporter>,
    patch: &SupporterPatch,
    create_missing: bool,
) -> Result<Supporter, Outcome> {
    let document = match current {
        Some(current) => laid_over(current, patch),
        None if create_missing => with_email(laid_over(&Supporter::default(), patch), patch)?,
        None => return Err(unmatched(patch)),
    };
    if document.email().is_none() {
        return Err(without_email());
    }
    Ok(document)
}

fn laid_over(current: &Supporter, patch: &SupporterPatch) -> Supporter {
    let mut census = current.census.clone();
    census.extend(patch.census.clone());

    let mut address = patch.address.clone();
    if !address.is_empty() {
        for (name, value) in &current.address {
            address.entry(name).or_insert_with(|| value.clone());
        }
    }

    let mut contacts = current.contacts.clone();
    for (kind, value) in &patch.contacts {
        set_contact(&mut contacts, kind, value);
    }

    let custom = patch
        .custom
        .iter()
        .map(|(name, value)| CustomField {
            field_id: current
                .custom_named(name)
                .and_then(|field| field.field_id.clone()),
            name: Some(name.clone()),
            value: Some(value.clone()),
        })
        .collect();

    Supporter {
        census,
        address,
        contacts,
        custom,
    }
}

fn set_contact(contacts: &mut Vec<SupporterContact>, kind: &str, value: &str) {
    match contacts.iter_mut().find(|contact| contact.kind == kind) {
        Some(contact) => contact.value = value.to_owned(),
        None => contacts.push(SupporterContact {
            kind: kind.to_owned(),
            value: value.to_owned(),
            status: None,
        }),
    }
}

/// An ADD needs an email of its own: the mapping's, else the row's.
fn with_email(mut document: Supporter, patch: &SupporterPatch) -> Result<Supporter, Outcome> {
    if document.email().is_none()
        && let Some(email) = &patch.row_email
    {
        if let Some(problem) = patch::email_problem(email) {
            return Err(Outcome::Dead {
                class: DeadClass::Validation,
                cause: format!(
                    "no supporter has this {} and none can be added: {}",
                    patch.key.kind().field(),
                    problem::sentence(&[problem])
                ),
                advice: "Correct the work email in AlumnIQ, or add the supporter in Salsa by hand; then replay"
                    .into(),
            });
        }
        set_contact(&mut document.contacts, census::EMAIL, email);
    }
    Ok(document)
}

fn unmatched(patch: &SupporterPatch) -> Outcome {
    let advice = match patch.key {
        SupporterKey::ExternalId(_) => {
            "Set this xid as the externalSystemId of the right supporter in Salsa, or turn on salsa.create_missing; then replay"
        }
        SupporterKey::Email(_) => {
            "Add a supporter with this work email in Salsa, or turn on salsa.create_missing; then replay"
        }
    };
    Outcome::Dead {
        class: DeadClass::Unmatched,
        cause: format!("no supporter has this {}", patch.key.kind().field()),
        advice: advice.into(),
    }
}

fn without_email() -> Outcome {
    Outcome::Dead {
        class: DeadClass::Validation,
        cause: "the supporter would have no EMAIL contact, which Salsa requires on every add or update"
            .into(),
        advice: "Give the supporter an email address in Salsa (a row's work email only serves to add one); then replay".into(),
    }
}
