//! PUT and DELETE: each supporter has its own result inside a 200.

use std::collections::HashMap;

use jobs::destination::Destination;
use serde_json::{Value, json};

use super::{Request, admit_batch, bad_request, rules, shuffled, supporters::Supporters};
use crate::sandbox::{
    data::marked_change,
    http::Answer,
    operation::Operation,
    world::{World, lock},
};

fn sent(request: &Request) -> Result<&Vec<Value>, Answer> {
    let supporters = request.items("supporters");
    let objects = supporters.filter(|supporters| supporters.iter().all(Value::is_object));
    objects.ok_or_else(|| bad_request("Bad Request - supporters must be a list of objects"))
}

pub(super) fn put(world: &World, request: &Request) -> Result<Value, Answer> {
    let sent = sent(request)?;
    admit_batch(world, Operation::Put, sent.len())?;
    let mut last_of_email: HashMap<String, usize> = HashMap::new();
    for (position, supporter) in sent.iter().enumerate() {
        if let Some(email) = rules::email(supporter) {
            last_of_email.insert(email, position);
        }
    }
    let mut supporters = lock(&world.supporters);
    let mut results = Vec::with_capacity(sent.len());
    for (position, supporter) in sent.iter().enumerate() {
        let mut echo = supporter.clone();
        let last = rules::email(supporter).and_then(|email| last_of_email.get(&email).copied());
        let result = match last.is_some_and(|last| last != position) {
            true => "SYSTEM_ERROR", // the same email follows in this batch
            false => put_one(world, &mut supporters, &mut echo),
        };
        echo["result"] = json!(result);
        results.push(echo);
    }
    Ok(json!({ "count": results.len(), "supporters": shuffled(results) }))
}

/// Applies one supporter, hanging errors, or its id, on the echo of what was sent.
fn put_one(world: &World, supporters: &mut Supporters, echo: &mut Value) -> &'static str {
    let external_id = echo["externalSystemId"].as_str().map(str::to_owned);
    let employer_max_length = lock(&world.limits).employer_max_length;
    let mut valid = rules::validate(echo, employer_max_length);
    let known = match echo.get("supporterId").filter(|id| !id.is_null()) {
        Some(id) => match id.as_str().and_then(|id| supporters.by_id(id)) {
            None => return "NOT_FOUND",
            known => known,
        },
        None => rules::email(echo).and_then(|email| supporters.by_email(&email)),
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
    if let (Some(index), Some(email)) = (known, rules::email(echo))
        && supporters.email_taken(index, &email)
    {
        let error = rules::error(2009, "value", "The email belongs to another supporter");
        rules::attach(&mut echo["contacts"][0], vec![error]);
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

pub(super) fn delete(world: &World, request: &Request) -> Result<Value, Answer> {
    let sent = sent(request)?;
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
