//! Search: by one kind of identifier, or by modification date page by page.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Request, admit_batch, bad_request, shuffled, supporters::Supporters};
use crate::sandbox::{
    http::Answer,
    operation::Operation,
    world::{World, lock},
};

/// What identifiers are.
#[derive(Debug, Clone, Copy)]
enum IdentifierType {
    SupporterId,
    EmailAddress,
    ExternalId,
}

pub(super) fn search(world: &World, request: &Request) -> Result<Value, Answer> {
    match request.items("identifiers") {
        Some(identifiers) => by_identifiers(world, request, identifiers),
        None => by_date(world, request),
    }
}

fn by_identifiers(
    world: &World,
    request: &Request,
    identifiers: &[Value],
) -> Result<Value, Answer> {
    let kind = match request
        .payload
        .get("identifierType")
        .and_then(Value::as_str)
    {
        Some("SUPPORTER_ID") => IdentifierType::SupporterId,
        Some("EMAIL_ADDRESS") => IdentifierType::EmailAddress,
        Some("EXTERNAL_ID") => IdentifierType::ExternalId,
        _ => {
            return Err(bad_request(
                "Bad Request - identifierType is not a known constant",
            ));
        }
    };
    admit_batch(world, Operation::Search, identifiers.len())?;
    let supporters = lock(&world.supporters);
    let mut found = Vec::with_capacity(identifiers.len());
    for identifier in identifiers {
        let identifier = identifier
            .as_str()
            .ok_or_else(|| bad_request("Bad Request - identifiers must be text"))?;
        found.extend(one(&supporters, kind, identifier));
    }
    let found = shuffled(found);
    Ok(json!({ "count": found.len(), "total": found.len(), "supporters": found }))
}

/// A miss is a record of its own; it carries the identifier it was asked by where the type allows.
fn one(supporters: &Supporters, kind: IdentifierType, identifier: &str) -> Vec<Value> {
    let (found, mut miss) = match kind {
        IdentifierType::SupporterId => (
            supporters.by_id(identifier).into_iter().collect(),
            json!({ "supporterId": identifier }),
        ),
        IdentifierType::EmailAddress => (
            supporters.by_email(identifier).into_iter().collect(),
            json!({ "contacts": [{ "type": "EMAIL", "value": identifier }] }),
        ),
        IdentifierType::ExternalId => (
            supporters.by_external_id(identifier).to_vec(),
            json!({ "externalSystemId": identifier }),
        ),
    };
    let documents: Vec<_> = found
        .into_iter()
        .filter_map(|index| Some(supporters.get(index)?.document()))
        .collect();
    if documents.is_empty() {
        miss["result"] = json!("NOT_FOUND");
        return vec![miss];
    }
    documents
}

fn by_date(world: &World, request: &Request) -> Result<Value, Answer> {
    let instant = |key: &str| match request.payload.get(key).and_then(Value::as_str) {
        None => Ok(None),
        Some(text) => match text.parse::<Timestamp>() {
            Ok(instant) => Ok(Some(instant)),
            Err(_) => Err(bad_request(&format!(
                "Bad Request - {key} is not an ISO 8601 date"
            ))),
        },
    };
    let number = |key: &str, default: usize| {
        let number = request.payload.get(key).and_then(Value::as_u64);
        number.map_or(default, |number| {
            usize::try_from(number).unwrap_or(usize::MAX)
        })
    };
    let from = instant("modifiedFrom")?.ok_or_else(|| {
        bad_request("Bad Request - Either 'modifiedFrom' or 'identifiers' must be provided")
    })?;
    let to = instant("modifiedTo")?;
    let (offset, count) = (number("offset", 0), number("count", 10));
    admit_batch(world, Operation::Search, count)?;
    let supporters = lock(&world.supporters);
    let matching = supporters.modified(from, to);
    let page = matching.iter().skip(offset).take(count);
    let page: Vec<_> = page
        .filter_map(|&index| Some(supporters.get(index)?.document()))
        .collect();
    let mut payload = json!({ "count": page.len(), "total": matching.len() });
    if offset % 2 == 0 {
        payload["offset"] = json!(offset); // it is sometimes left out
    }
    payload["supporters"] = Value::Array(shuffled(page));
    Ok(payload)
}
