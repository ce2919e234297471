//! The `errors` of a refused record. They may sit on the supporter, a contact, the address or a custom
//! field, so they are gathered wherever they are.

use serde_json::{Map, Value};

use super::{census, supporter};
use crate::redact::{gathered, redact};

/// More errors than this are counted, not told.
const TOLD_AT_MOST: usize = 50;

/// A place deeper than this many bytes of path is named no further.
const LONGEST_PATH: usize = 200;

/// Every error of `record` in one sentence: place, field, code and redacted message. `None` without any.
pub(super) fn told(record: &Value) -> Option<String> {
    let mut errors = Errors::default();
    errors.gather(&mut String::new(), record);
    let mut told = gathered(errors.told.into_iter());
    if errors.left_out > 0 {
        told.push_str(&format!("; and {} more", errors.left_out));
    }
    Some(told).filter(|told| !told.is_empty())
}

#[derive(Default)]
struct Errors {
    told: Vec<String>,
    left_out: usize,
}

impl Errors {
    /// As deep as the record is, which its parser has bounded. `path` is the same afterwards.
    fn gather(&mut self, path: &mut String, place: &Value) {
        let depth = path.len();
        match place {
            Value::Object(object) => {
                for error in errors_of(object) {
                    if self.told.len() < TOLD_AT_MOST {
                        self.told.push(sentence(path, error));
                    } else {
                        self.left_out += 1;
                    }
                }
                for (name, member) in object.iter().filter(|(name, _)| *name != "errors") {
                    if depth < LONGEST_PATH {
                        *path = joined(path, known_name(name));
                    }
                    self.gather(path, member);
                    path.truncate(depth);
                }
            }
            Value::Array(items) => {
                for item in items {
                    if depth < LONGEST_PATH {
                        path.push_str(&label(item));
                    }
                    self.gather(path, item);
                    path.truncate(depth);
                }
            }
            _ => {}
        }
    }
}

fn errors_of(object: &Map<String, Value>) -> &[Value] {
    match object.get("errors") {
        Some(Value::Array(errors)) => errors,
        Some(error @ Value::Object(_)) => std::slice::from_ref(error),
        _ => &[],
    }
}

fn sentence(path: &str, error: &Value) -> String {
    let part = |name: &str| error.get(name).and_then(supporter::text);
    let field = part("fieldName").map(|field| redact(&field));
    let field = joined(path, field.as_deref().unwrap_or_default());
    let code = match error.get("code") {
        Some(Value::Number(code)) => Some(format!("code {code}")),
        _ => part("code").map(|code| format!("code {}", redact(&code))),
    };
    let message = part("message")
        .or_else(|| part("details"))
        .or_else(|| supporter::text(error))
        .map(|message| redact(&message));
    let told: Vec<_> = [Some(field), code, message]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    if told.is_empty() {
        "an error without words".into()
    } else {
        told.join(" ")
    }
}

fn joined(path: &str, name: &str) -> String {
    match (path.is_empty(), name.is_empty()) {
        (_, true) => path.to_owned(),
        (true, false) => name.to_owned(),
        (false, false) => format!("{path}.{name}"),
    }
}

/// Only names that Salsa documents are repeated: any other could hold anything.
fn known_name(name: &str) -> &str {
    match name {
        "address" | "contacts" | "customFieldValues" => name,
        _ => "",
    }
}

/// Which of several: a contact's type, or a custom field's name, which the configuration holds too.
fn label(item: &Value) -> String {
    let kind = item.get("type").and_then(Value::as_str);
    let contact = census::CONTACTS
        .iter()
        .find(|field| Some(field.name) == kind)
        .map(|field| field.name.to_owned());
    let custom = || {
        let name = item.get("name").and_then(Value::as_str)?;
        (name.chars().count() <= census::CUSTOM_NAME_CHARS).then(|| redact(name))
    };
    contact
        .or_else(custom)
        .map(|label| format!("[{label}]"))
        .unwrap_or_default()
}
