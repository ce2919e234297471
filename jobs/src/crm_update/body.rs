//! Whose word an answer's body is.
//!
//! | the body is | whose word | source |
//! |---|---|---|
//! | empty | the CRM's, with 404: `NotFound()` of ASP.NET has no body | the CRM's page documents the status alone |
//! | a JSON text that names no address | the CRM's, with 404 | the page: answers are `application/json` |
//! | a JSON object of ASP.NET's error members alone, with `Message` or `ModelState`, that names no address | the CRM's | `HttpError` of ASP.NET Web API |
//! | the same with `MessageDetail`, or a `Message` that names the address asked for | ASP.NET's routing: no operation there | the same; callers from elsewhere get no `MessageDetail` |
//! | the same with a `ModelState` of the URI's parameters alone | the CRM's on our settings, not on the document | the page: URI Parameters |
//! | anything else: HTML, plain text, other JSON | a web server, gateway, firewall or proxy | – |

use serde_json::{Map, Value};

/// What ASP.NET's `HttpError` can have; a gateway's JSON has other members, or writes these in lower case.
const ERROR_MEMBERS: [&str; 9] = [
    "Message",
    "MessageDetail",
    "MessageLanguage",
    "ModelState",
    "ErrorCode",
    "ExceptionMessage",
    "ExceptionType",
    "StackTrace",
    "InnerException",
];

/// What the CRM's URI parameters begin with.
const MATCHING_PARAMETERS: &str = "contactMatching";

/// An answer's body, by whose word it is: see the table above.
#[derive(Debug)]
pub(super) enum Body {
    /// Nothing.
    Empty,
    /// A JSON text.
    Text,
    /// The CRM's own error, about this document.
    Error(Value),
    /// ASP.NET knows no operation at this address, or refuses the URI's parameters.
    Routing,
    /// An HTML page.
    Html,
    /// Other JSON.
    Json,
    /// Plain text.
    Plain,
}

impl Body {
    /// Whose word `body` is.
    pub(super) fn of(body: &str) -> Self {
        let body = body.trim_start_matches('\u{feff}').trim();
        match serde_json::from_str(body) {
            _ if body.is_empty() => Self::Empty,
            _ if body.starts_with('<') => Self::Html,
            Err(_) => Self::Plain,
            Ok(Value::String(text)) if names_an_address(&text) => Self::Routing,
            Ok(Value::String(_)) => Self::Text,
            Ok(Value::Object(members)) if is_error(&members) => match is_routing(&members) {
                true => Self::Routing,
                false => Self::Error(Value::Object(members)),
            },
            Ok(_) => Self::Json,
        }
    }

    /// What it is, for people.
    pub(super) const fn shape(&self) -> &'static str {
        match self {
            Self::Empty => "an empty body",
            Self::Html => "an HTML page",
            Self::Text | Self::Plain => "text",
            Self::Error(_) | Self::Routing | Self::Json => "other JSON",
        }
    }
}

fn is_error(members: &Map<String, Value>) -> bool {
    let is_known = |name: &String| ERROR_MEMBERS.contains(&name.as_str());
    let has_text = members.get("Message").is_some_and(Value::is_string);
    let has_rules = members.get("ModelState").is_some_and(Value::is_object);
    members.keys().all(is_known) && (has_text || has_rules && !members.contains_key("Message"))
}

fn is_routing(error: &Map<String, Value>) -> bool {
    let message = error.get("Message").and_then(Value::as_str);
    let rules = error.get("ModelState").and_then(Value::as_object);
    error.contains_key("MessageDetail")
        || message.is_some_and(names_an_address)
        || rules.is_some_and(|rules| {
            !rules.is_empty()
                && rules
                    .keys()
                    .all(|name| name.starts_with(MATCHING_PARAMETERS))
        })
}

/// Routing quotes the address that was asked for, in whatever language it answers.
fn names_an_address(text: &str) -> bool {
    text.starts_with("No HTTP resource was found") || text.contains("://")
}
