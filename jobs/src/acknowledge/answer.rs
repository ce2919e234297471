//! What the body of a good answer to the PUT says. AlumnIQ publishes none, and a sign-in or maintenance page comes with
//! 200, too.

use serde_json::Value;

/// What the body says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Nothing against it: it is empty, or JSON or text without a sign of failure.
    Good,
    /// That the call failed.
    Failed,
    /// It is a page, which AlumnIQ's API does not send.
    Page,
}

/// Members that are false where the call failed.
const GOOD: [&str; 4] = ["success", "succeeded", "ok", "issuccess"];

/// Members that hold something where the call failed.
const BAD: [&str; 6] = [
    "error",
    "errors",
    "errormessage",
    "errordetail",
    "exception",
    "fault",
];

/// Members that say how it went in a word or a number.
const STATES: [&str; 6] = ["status", "statuscode", "code", "result", "state", "type"];

/// Members whose text is for people.
const WORDS: [&str; 4] = ["message", "detail", "details", "statustext"];

/// What a text of failure holds.
const FAILURES: [&str; 17] = [
    "error",
    "fail",
    "invalid",
    "denied",
    "unauthori",
    "forbidden",
    "exception",
    "not found",
    "unable",
    "cannot",
    "could not",
    "expired",
    "maintenance",
    "unavailable",
    "sign in",
    "log in",
    "login",
];

/// What a text of success may hold all the same.
const NO_FAILURES: [&str; 5] = [
    "no error",
    "0 error",
    "without error",
    "0 fail",
    "error: none",
];

/// Only so much of a text is looked at.
const LOOK_AT_CHARS: usize = 4096;

/// What `body` says.
pub(super) fn word(body: &str) -> Word {
    let body = body.trim_start_matches('\u{feff}').trim();
    if body.starts_with('<') {
        return Word::Page;
    }
    let failed = match serde_json::from_str::<Value>(body) {
        Ok(json) => json == Value::Bool(false) || says_failure(&json),
        Err(_) => is_failure(body),
    };
    if failed { Word::Failed } else { Word::Good }
}

fn says_failure(json: &Value) -> bool {
    match json {
        Value::String(text) => is_failure(text),
        Value::Array(items) => items.iter().any(says_failure),
        // CFML writes names in capital letters where nobody quoted them.
        Value::Object(members) => members.iter().any(|(name, value)| {
            let name = name.to_lowercase().replace(['_', '-'], "");
            let is = |names: &[&str]| names.contains(&name.as_str());
            match value {
                _ if is(&GOOD) => is_false(value),
                _ if is(&BAD) => !is_nothing(value),
                Value::Number(code) if is(&STATES) => {
                    code.as_u64().is_some_and(|code| (400..600).contains(&code))
                }
                Value::String(text) if is(&STATES) || is(&WORDS) => is_failure(text),
                Value::Object(_) | Value::Array(_) => says_failure(value),
                _ => false,
            }
        }),
        _ => false,
    }
}

fn is_false(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => matches!(text.trim().to_lowercase().as_str(), "false" | "no" | "0"),
        _ => false,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => {
            matches!(text.trim().to_lowercase().as_str(), "" | "none" | "null") || is_false(value)
        }
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => is_false(value),
    }
}

fn is_failure(text: &str) -> bool {
    let mut text: String = text.chars().take(LOOK_AT_CHARS).collect();
    text.make_ascii_lowercase();
    for harmless in NO_FAILURES {
        text = text.replace(harmless, "");
    }
    FAILURES.iter().any(|failure| text.contains(failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_of_a_good_status_has_its_row() {
        for (said, bodies) in [
            (
                Word::Good,
                &[
                    "",
                    " \r\n",
                    "\u{feff}",
                    "true",
                    "null",
                    "3",
                    "[]",
                    "{}",
                    "[1,2]",
                    r#"["1","2"]"#,
                    "OK",
                    "\"OK\"",
                    "3 records were marked as processed, 0 errors",
                    r#"{"success":true}"#,
                    r#"{"SUCCESS":"YES","ERRORS":[]}"#,
                    r#"{"success":1,"error":"","message":"2 changes were processed"}"#,
                    r#"{"status":"ok","statusCode":200}"#,
                    r#"{"error":false,"errorMessage":null}"#,
                    r#"{"processed":2,"code":0}"#,
                    r#"{"changeIdList":"17,18","result":"processed"}"#,
                ][..],
            ),
            (
                Word::Failed,
                &[
                    "false",
                    r#"{"success":false}"#,
                    r#"{"SUCCESS":"NO"}"#,
                    r#"{"Success":"false"}"#,
                    r#"{"ok":0}"#,
                    r#"{"error":"Invalid key"}"#,
                    r#"{"ERRORS":["no such id"]}"#,
                    r#"{"error":{"code":17}}"#,
                    r#"{"error_message":"x"}"#,
                    r#"{"status":"error"}"#,
                    r#"{"statusCode":500}"#,
                    r#"{"status":503}"#,
                    r#"{"message":"The API key has expired"}"#,
                    r#"{"data":{"success":false}}"#,
                    r#"[{"changeId":1,"success":true},{"changeId":2,"success":false}]"#,
                    "Invalid API key",
                    "\"Error\"",
                    "The site is down for maintenance.",
                    "Please log in",
                    "An exception occurred",
                ],
            ),
            (
                Word::Page,
                &[
                    "<html><title>Sign in</title></html>",
                    "\r\n\r\n <!DOCTYPE html>",
                    "\u{feff}<p>",
                    "<",
                ],
            ),
        ] {
            for body in bodies {
                assert_eq!(word(body), said, "{body}");
            }
        }
    }

    #[test]
    fn hostile_bodies_are_survived() {
        for body in ["[".repeat(1_000_000), "no error".repeat(1_000_000)] {
            word(&body);
        }
    }
}
