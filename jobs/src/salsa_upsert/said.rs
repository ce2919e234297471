//! What the text of an answer says: Salsa's failures are plain text, JSON or an HTML page, whatever the
//! status.

use serde_json::Value;

use crate::redact::redact;

/// Only so much of a body is looked at: the rest cannot hold a short message.
const LOOK_AT_CHARS: usize = 16 * 1024;

const BATCH_TOO_LARGE: &str = "requested batch size exceeds the allowed size";
const UNRECOGNIZED_FIELD: &str = "unrecognized field";

/// `Requested batch size exceeds the allowed size of: N`.
pub(super) fn batch_too_large(body: &str) -> bool {
    head(body).to_ascii_lowercase().contains(BATCH_TOO_LARGE)
}

/// The N of that message, where it is a usable one.
pub(super) fn allowed_batch(body: &str) -> Option<usize> {
    let body = head(body).to_ascii_lowercase();
    let (_, behind) = body.split_once(BATCH_TOO_LARGE)?;
    let digits: String = behind
        .chars()
        .take(32)
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok().filter(|allowed| *allowed > 0)
}

/// `Your per minute call rate…`, which arrives with status 200, and `Call rate has been exceeded`.
pub(super) fn throttled(body: &str) -> bool {
    let body = head(body).to_ascii_lowercase();
    body.contains("per minute call rate") || body.contains("call rate has been exceeded")
}

/// A body in a few redacted words; an HTML page is never quoted.
pub(super) fn summary(body: &str) -> String {
    let text = head(body).trim();
    if text.is_empty() {
        return "an empty body".into();
    }
    if is_html(text) {
        return "an HTML page".into();
    }
    if let Some(field) = unrecognized_field(text) {
        return format!("unrecognized field {field}");
    }
    match serde_json::from_str::<Value>(text) {
        Ok(json) => match message(&json) {
            Some(message) => redact(message),
            None => "JSON without a message".into(),
        },
        Err(_) if text.starts_with(['{', '[']) => "JSON that cannot be read".into(),
        Err(_) => redact(text),
    }
}

/// Whether a refusal is recognizably Salsa's own: its plain text about a field of the request, or its error objects
/// (Salsa's page, "Response": id, code, message, details, fieldName), in its envelope or not.
pub(super) fn is_own_refusal(body: &str) -> bool {
    let body = head(body);
    if unrecognized_field(body).is_some() {
        return true;
    }
    let has_errors = |place: &Value| {
        let errors = place.get("errors").and_then(Value::as_array);
        errors.is_some_and(|errors| errors.iter().any(|error| error.get("message").is_some()))
    };
    match serde_json::from_str::<Value>(body) {
        Ok(json) => has_errors(&json) || json.get("payload").is_some_and(Value::is_object),
        Err(_) => false,
    }
}

fn head(body: &str) -> &str {
    match body.char_indices().nth(LOOK_AT_CHARS) {
        Some((at, _)) => body.get(..at).unwrap_or_default(),
        None => body,
    }
}

/// Whether a body is a page.
pub(super) fn is_html(body: &str) -> bool {
    let text = head(body).trim_start_matches('\u{feff}').trim_start();
    text.starts_with('<') || text.to_ascii_lowercase().contains("<html")
}

/// The field's name is the program's own, not a person's: the one quoted word worth keeping.
fn unrecognized_field(text: &str) -> Option<&str> {
    let at = text.to_ascii_lowercase().find(UNRECOGNIZED_FIELD)?;
    let behind = text
        .get(at + UNRECOGNIZED_FIELD.len()..)?
        .trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let end = behind
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(behind.len());
    behind
        .get(..end)
        .filter(|name| (1..=64).contains(&name.len()))
}

fn message(json: &Value) -> Option<&str> {
    let error = match json.get("errors") {
        Some(Value::Array(errors)) => errors.first().unwrap_or(json),
        Some(error @ Value::Object(_)) => error,
        _ => json,
    };
    [error, json].into_iter().find_map(|place| {
        ["message", "error", "details"]
            .into_iter()
            .find_map(|name| place.get(name).and_then(Value::as_str))
            .or_else(|| place.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_looked_at_only_as_far_as_a_message_can_reach() {
        let body = format!("{}Call rate has been exceeded", "é".repeat(20_000_000));
        assert!(!throttled(&body));
        assert!(summary(&body).len() < 2_000);
    }

    #[test]
    fn an_unrecognized_field_is_told_only_if_it_is_a_plain_name() {
        for (body, expected) in [
            (
                r#"Unrecognized field "hat" (class X)"#,
                "unrecognized field hat",
            ),
            (
                r#"{"message":"Unrecognized field \"hat\""}"#,
                "unrecognized field hat",
            ),
        ] {
            assert_eq!(summary(body), expected);
        }
        for body in ["Unrecognized field", "Unrecognized field ü"] {
            assert!(!summary(body).starts_with("unrecognized field "), "{body}");
        }
    }

    #[test]
    fn the_message_is_found_in_every_shape_of_error() {
        for body in [
            r#"{"errors":[{"code":1,"message":"Bad date"}]}"#,
            r#"{"errors":{"message":"Bad date"}}"#,
            r#"{"errors":["Bad date"]}"#,
            r#"{"message":"Bad date"}"#,
            r#"{"error":"Bad date"}"#,
            r#"{"errors":[],"message":"Bad date"}"#,
            r#""Bad date""#,
            "Bad date",
        ] {
            assert_eq!(summary(body), "Bad date", "{body}");
        }
    }
}
