//! Search: by one kind of identifier, or by modification date page by page.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use super::{Request, admit_batch, bad_request, shuffled, supporters::Supporters};
use crate::{
    http::SandboxResponse,
    operation::Operation,
    world::{World, lock},
};

/// The payload of an answer.
#[derive(Debug, Serialize)]
pub(super) struct SearchPage {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    total: usize,
    supporters: Vec<Box<RawValue>>,
}

impl SearchPage {
    fn new(offset: Option<usize>, total: usize, found: Vec<Box<RawValue>>) -> Self {
        Self {
            count: found.len(),
            offset,
            total,
            supporters: shuffled(found),
        }
    }
}

/// What identifiers are.
#[derive(Debug, Clone, Copy)]
enum IdentifierType {
    SupporterId,
    EmailAddress,
    ExternalId,
}

pub(super) fn search(world: &World, request: &Request) -> Result<SearchPage, SandboxResponse> {
    match request.payload.get("identifiers").and_then(Value::as_array) {
        Some(identifiers) => by_identifiers(world, request, identifiers),
        None => by_date(world, request),
    }
}

fn by_identifiers(
    world: &World,
    request: &Request,
    identifiers: &[Value],
) -> Result<SearchPage, SandboxResponse> {
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
    Ok(SearchPage::new(None, found.len(), found))
}

/// A miss is a record of its own, with the identifier that it was asked by.
fn one(supporters: &Supporters, kind: IdentifierType, identifier: &str) -> Vec<Box<RawValue>> {
    let found = match kind {
        IdentifierType::SupporterId => supporters.by_id(identifier).into_iter().collect(),
        IdentifierType::EmailAddress => supporters.by_email(identifier).into_iter().collect(),
        IdentifierType::ExternalId => supporters.by_external_id(identifier).to_vec(),
    };
    if !found.is_empty() {
        return shown(supporters, found);
    }
    let mut miss = match kind {
        IdentifierType::SupporterId => json!({ "supporterId": identifier }),
        IdentifierType::EmailAddress => {
            json!({ "contacts": [{ "type": "EMAIL", "value": identifier }] })
        }
        IdentifierType::ExternalId => json!({ "externalSystemId": identifier }),
    };
    miss["result"] = json!("NOT_FOUND");
    to_raw_value(&miss).into_iter().collect()
}

fn shown(supporters: &Supporters, found: impl IntoIterator<Item = usize>) -> Vec<Box<RawValue>> {
    let found = found.into_iter().filter_map(|index| supporters.get(index));
    found
        .filter_map(|supporter| to_raw_value(&supporter.document()).ok())
        .collect()
}

fn by_date(world: &World, request: &Request) -> Result<SearchPage, SandboxResponse> {
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
    let page = matching.iter().copied().skip(offset).take(count);
    let told = offset.is_multiple_of(2).then_some(offset); // it is sometimes left out
    Ok(SearchPage::new(
        told,
        matching.len(),
        shown(&supporters, page),
    ))
}
