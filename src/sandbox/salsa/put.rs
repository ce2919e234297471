//! PUT and DELETE: each supporter has its own result inside a 200.

use std::collections::HashMap;

use jobs::destination::Destination;
use serde_json::{Value, json};

use super::{Request, admit_batch, rules, shuffled, supporters::Supporters};
use crate::{
    data::marked_change,
    http::SandboxResponse,
    operation::Operation,
    world::{World, lock},
};

pub(super) fn put(world: &World, request: Request) -> Result<Value, SandboxResponse> {
    let mut echoes = request.supporters()?;
    admit_batch(world, Operation::Put, echoes.len())?;
    let emails: Vec<_> = echoes.iter().map(rules::email).collect();
    let positions = emails.iter().zip(0_usize..);
    let last_of_email: HashMap<_, _> = positions.collect();
    let mut supporters = lock(&world.supporters);
    for (position, echo) in echoes.iter_mut().enumerate() {
        let email = &emails[position];
        let last = email.is_none() || last_of_email.get(email) == Some(&position);
        let result = match last {
            true => put_one(world, &mut supporters, echo, email.as_deref()),
            false => "SYSTEM_ERROR", // the same email follows in this batch
        };
        echo["result"] = json!(result);
    }
    Ok(json!({ "count": echoes.len(), "supporters": shuffled(echoes) }))
}

/// Applies one supporter, hanging errors, or its id, on the echo of what was sent.
fn put_one(
    world: &World,
    supporters: &mut Supporters,
    echo: &mut Value,
    email: Option<&str>,
) -> &'static str {
    let external_id = echo["externalSystemId"].as_str().map(str::to_owned);
    let employer_max_length = lock(&world.limits).employer_max_length;
    let mut valid = rules::validate(echo, employer_max_length);
    let known = match echo.get("supporterId").filter(|id| !id.is_null()) {
        Some(id) => match id.as_str().and_then(|id| supporters.by_id(id)) {
            None => return "NOT_FOUND",
            known => known,
        },
        None => email.and_then(|email| supporters.by_email(email)),
    };
    let owner = known.and_then(|index| supporters.get(index)?.external_id().map(str::to_owned));
    {
        let mut faults = lock(&world.faults);
        let named = external_id.as_deref().or(owner.as_deref());
        if faults.fails_supporter(named) {
            return "SYSTEM_ERROR";
        }
        if faults.refuses_supporter(named) {
            let error = rules::error(2099, "supporter", "The supporter is not acceptable");
            rules::attach(echo, vec![error]);
            valid = false;
        }
    }
    if let (Some(index), Some(email)) = (known, email)
        && supporters.email_taken(index, email)
    {
        let error = rules::error(2009, "value", "The email belongs to another supporter");
        let mut contacts = rules::items(echo, "contacts");
        if let Some(contact) = contacts.find(|contact| contact["type"] == "EMAIL") {
            rules::attach(contact, vec![error]);
        }
        valid = false;
    }
    if !valid {
        return "VALIDATION_ERROR";
    }

    let marker = marker(echo);
    let doubled = known.is_none()
        && external_id
            .as_deref()
            .is_some_and(|id| !supporters.by_external_id(id).is_empty());
    let index = known.unwrap_or_else(|| supporters.add());
    let effects = supporters.apply(index, echo);
    let Some(supporter) = supporters.get(index) else {
        return "SYSTEM_ERROR";
    };
    echo["supporterId"] = json!(supporter.id());

    let mut ledger = lock(&world.ledger);
    let owner = owner.as_deref().or(supporter.external_id());
    ledger.applied(Destination::Salsa, marker.as_deref(), owner);
    ledger.address_fields_erased += effects.address_fields_erased;
    if effects.resubscribed {
        ledger.resubscribed.push(supporter.id().to_owned());
    }
    for (happened, what) in [
        (
            effects.email_moved,
            "the supporter's email, which is the key, was changed",
        ),
        (
            doubled,
            "a second supporter with the same externalSystemId was added",
        ),
    ] {
        if happened {
            let change_id = marker.clone().unwrap_or_default();
            ledger.moved(Destination::Salsa, change_id, what);
        }
    }
    if known.is_some() { "UPDATED" } else { "ADDED" }
}

/// The change that the document came from, as its custom fields say.
fn marker(supporter: &Value) -> Option<String> {
    let fields = supporter["customFieldValues"].as_array()?;
    let mut values = fields.iter().filter_map(|field| field["value"].as_str());
    values.find_map(marked_change).map(str::to_owned)
}

pub(super) fn delete(world: &World, request: Request) -> Result<Value, SandboxResponse> {
    let sent = request.supporters()?;
    admit_batch(world, Operation::Delete, sent.len())?;
    let mut supporters = lock(&world.supporters);
    let results = sent
        .iter()
        .map(|supporter| {
            let id = supporter["supporterId"].as_str().unwrap_or_default();
            let result = if supporters.delete(id) {
                "DELETED"
            } else {
                "NOT_FOUND"
            };
            json!({ "supporterId": id, "result": result })
        })
        .collect();
    Ok(json!({ "supporters": shuffled(results) }))
}
