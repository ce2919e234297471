//! The CRM: a token by password grant, then `updatecontact` and `upsertcontact`.

pub(crate) mod contacts;
mod dto;
pub(crate) mod tokens;

use std::{str::FromStr, time::Duration};

use jobs::destination::Destination;
use serde_json::{Value, json};

use self::{
    contacts::{Contacts, Matching},
    dto::{BoundDocument, ModelState},
};
use super::{
    data::marked_change,
    http::{SandboxRequest, SandboxResponse},
    operation::Operation,
    options::{SANDBOX_PASSWORD, SANDBOX_USERNAME},
    world::{World, lock},
};

/// A 500 as ASP.NET writes it; its stack trace must never be stored.
pub(super) const SERVER_ERROR: &str = r#"{"Message":"An error has occurred.","ExceptionMessage":"Timeout expired for alum@example.org.","ExceptionType":"System.Data.SqlClient.SqlException","StackTrace":"   at Crm.Processes.UpdateContact(ContactUpsertDto dto)"}"#;

pub(super) fn answer(
    world: &World,
    operation: Operation,
    call: &SandboxRequest,
    revoke: bool,
) -> SandboxResponse {
    let answer = match operation {
        Operation::Token => token(world, call),
        Operation::Update | Operation::Upsert => {
            authorize(world, call, revoke).and_then(|()| write(world, operation, call))
        }
        _ => Err(no_route(call)),
    };
    answer.unwrap_or_else(|refusal| refusal)
}

fn message(status: u16, message: &str) -> SandboxResponse {
    SandboxResponse::json(status, &json!({ "Message": message }))
}

fn no_route(call: &SandboxRequest) -> SandboxResponse {
    let uri = format!(
        "No HTTP resource was found that matches the request URI '{}'.",
        call.path
    );
    let detail = "No action was found that matches the request.";
    SandboxResponse::json(404, &json!({ "Message": uri, "MessageDetail": detail }))
}

fn token(world: &World, call: &SandboxRequest) -> Result<SandboxResponse, SandboxResponse> {
    let refuse = |error: &str| SandboxResponse::json(400, &json!({ "error": error }));
    if call.form_field("grant_type").as_deref() != Some("password") {
        return Err(refuse("unsupported_grant_type"));
    }
    let is = |field: &str, expected: &str| call.form_field(field).as_deref() == Some(expected);
    if !(is("username", SANDBOX_USERNAME) && is("password", SANDBOX_PASSWORD)) {
        return Err(refuse("invalid_grant"));
    }
    let seconds = lock(&world.faults).faults.crm.token_seconds;
    let seconds = seconds.unwrap_or(world.options.token_seconds);
    let token = lock(&world.tokens).issue(Duration::from_secs(seconds));
    let granted = json!({ "access_token": token, "token_type": "bearer", "expires_in": seconds });
    Ok(SandboxResponse::json(200, &granted))
}

fn authorize(world: &World, call: &SandboxRequest, revoke: bool) -> Result<(), SandboxResponse> {
    let header = call.header("authorization").unwrap_or_default();
    let token = header.strip_prefix("Bearer ").unwrap_or_default();
    let mut tokens = lock(&world.tokens);
    if revoke {
        tokens.revoke(token);
    }
    match tokens.accepts(token) {
        true => Ok(()),
        false => Err(message(
            401,
            "Authorization has been denied for this request.",
        )),
    }
}

fn write(
    world: &World,
    operation: Operation,
    call: &SandboxRequest,
) -> Result<SandboxResponse, SandboxResponse> {
    if !matches!(call.media_type().as_str(), "application/json" | "text/json") {
        return Err(message(
            415,
            "The request entity's media type is not supported for this resource.",
        ));
    }
    let matching = matching(call).map_err(invalid)?;
    let body = call
        .json_object()
        .ok_or_else(|| invalid(problem("dto", "The body is not a JSON object.")))?;
    let document = dto::bind(&body).map_err(invalid)?;

    let mut contacts = lock(&world.contacts);
    let found = contacts.find(&document, matching);
    let owner = found
        .and_then(|index| contacts.institution_id(index))
        .map(str::to_owned);
    let failing = &lock(&world.faults).faults.crm.server_error_xids;
    if owner.as_ref().is_some_and(|owner| failing.contains(owner)) {
        return Err(message(500, "An error has occurred."));
    }
    let index = match found {
        Some(index) => {
            contacts.update(index, &document);
            index
        }
        None if operation == Operation::Upsert && !document.contains_key("CrmNumber") => {
            contacts.create(&document)
        }
        None => return Err(message(404, "No contact was updated.")),
    };
    let owner = owner.as_deref().or_else(|| contacts.institution_id(index));
    lock(&world.ledger).applied(Destination::Crm, marker(&document), owner);
    Ok(SandboxResponse::json(200, &Contacts::crm_number(index)))
}

/// The change that the document came from: said in the note by default, and by other mappings elsewhere.
fn marker(document: &BoundDocument) -> Option<&str> {
    let note = document.get("ContactNoteContent").into_iter();
    note.chain(document.values()).find_map(marker_in)
}

fn marker_in(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => marked_change(text),
        Value::Array(items) => items.iter().find_map(marker_in),
        Value::Object(fields) => fields.values().find_map(marker_in),
        _ => None,
    }
}

fn problem(path: &str, problem: &str) -> ModelState {
    ModelState::from([(path.to_owned(), vec![problem.to_owned()])])
}

fn invalid(problems: ModelState) -> SandboxResponse {
    let body = json!({ "Message": "The request is invalid.", "ModelState": problems });
    SandboxResponse::json(400, &body)
}

fn matching(call: &SandboxRequest) -> Result<Matching, ModelState> {
    Ok(Matching {
        min_confirmed_score: uri_parameter(call, "contactMatchingMinConfirmedScore", 82)?,
        min_name_similarity: uri_parameter(call, "contactMatchingMinNameSimilarity", 0.4)?,
        enabled: uri_parameter(call, "contactMatchingEnabled", CSharpBool(true))?.0,
    })
}

/// `True` and `true` alike.
struct CSharpBool(bool);

impl FromStr for CSharpBool {
    type Err = std::str::ParseBoolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_ascii_lowercase().parse().map(Self)
    }
}

fn uri_parameter<T: FromStr>(
    call: &SandboxRequest,
    name: &str,
    default: T,
) -> Result<T, ModelState> {
    match call.parameter(name) {
        None => Ok(default),
        Some(text) => text
            .trim()
            .parse()
            .map_err(|_| problem(name, "The value is not valid.")),
    }
}
