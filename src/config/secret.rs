//! Secrets: from a variable, from a file, or (with a warning) from the config file. Never from a flag.

use std::{io::Read as _, path::Path};

use secrecy::SecretString;

use super::{
    finding::ConfigFinding,
    key::{Key, Presence, Shape, join, variable},
    read::Read,
    reader::Reader,
    source::{ConfigEntry, Origin},
};
use crate::visible::without_byte_order_mark;

/// No vendor's key is longer; what is longer is some other file.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

const REDACTED: &str = "<redacted>";

impl Read for SecretString {
    const SHAPE: Shape = Shape::Text;

    fn read(reader: &mut Reader, key: &'static Key) -> Option<Self> {
        let before = reader.problems.len();
        let secret = read(reader, key);
        if !reader.needs_secrets {
            reader.problems.truncate(before);
            return Some(secret.unwrap_or_default());
        }
        if secret.is_none() && reader.problems.len() == before {
            missing(reader, key, "is required");
        }
        secret
    }
}

impl Read for Option<SecretString> {
    const SHAPE: Shape = Shape::Text;

    fn read(reader: &mut Reader, key: &'static Key) -> Option<Self> {
        let before = reader.problems.len();
        let secret = read(reader, key);
        if !reader.needs_secrets {
            reader.problems.truncate(before);
        }
        (reader.problems.len() == before).then_some(secret)
    }
}

/// Notes a secret that must be set (`rule` says why) and how to set it.
pub(super) fn missing(reader: &mut Reader, key: &Key, rule: &str) {
    let path = key.path();
    if !reader.demanding || !reader.needs_secrets || reader.is_suspected(&path) {
        return;
    }
    let finding = ConfigFinding::error(format!("the secret `{path}` {rule}")).help(format!(
        "set the environment variable {variable}, or `{file} = \"PATH\"` in [{section}]",
        variable = key.named_variable(),
        file = key.file_name(),
        section = key.section
    ));
    reader.problem(finding);
}

fn read(reader: &mut Reader, key: &'static Key) -> Option<SecretString> {
    let path = key.path();
    let file_path = join(key.section, &key.file_name());
    if let Presence::Secret(Some(own)) = key.rule.presence
        && let Some(text) = reader.variables.get(own).filter(|text| !text.is_empty())
    {
        let text = text.clone();
        return accept(reader, key, &text, Origin::Variable(own.to_owned()));
    }
    let inline = reader.source.entries.get(&path).cloned();
    let file = reader.source.entries.get(&file_path).cloned();
    match (inline, file) {
        (Some(inline), Some(file)) if is_variable(&inline) == is_variable(&file) => {
            let (one, other) = match is_variable(&inline) {
                true => (variable(&path), variable(&file_path)),
                false => (format!("`{path}`"), format!("`{file_path}`")),
            };
            let finding = reader
                .finding(&file_path, &file, "is set twice")
                .help(format!("remove one of {one} and {other}"));
            let finding = ConfigFinding {
                message: format!("{one} and {other} are both set"),
                ..finding
            };
            reader.problem(finding);
            None
        }
        (Some(inline), file) if is_variable(&inline) || file.is_none() => {
            from_entry(reader, key, &path, &inline)
        }
        (_, Some(file)) => from_file(reader, key, &file_path, &file),
        _ => None,
    }
}

fn is_variable(entry: &ConfigEntry) -> bool {
    matches!(entry.origin, Origin::Variable(_))
}

fn from_entry(
    reader: &mut Reader,
    key: &'static Key,
    path: &str,
    entry: &ConfigEntry,
) -> Option<SecretString> {
    let Some(text) = entry.value.as_str() else {
        let finding = reader.finding(path, entry, "must be a text in quotes");
        reader.problem(finding);
        return None;
    };
    if !is_variable(entry) {
        let rule = match reader.exposed {
            true => "stands in plain text in a file that every user of this machine can read",
            false => "stands in plain text in the config file",
        };
        let finding = reader.finding(path, entry, rule).help(format!(
            "move it to a file of its own and name that with `{}`, or chmod 600 the config file",
            key.file_name()
        ));
        reader.warn(finding);
    }
    accept(reader, key, text, entry.origin.clone())
}

fn from_file(
    reader: &mut Reader,
    key: &'static Key,
    path: &str,
    entry: &ConfigEntry,
) -> Option<SecretString> {
    let read = match entry.value.as_str() {
        None | Some("") => Err("must be the path of a file".to_owned()),
        Some(name) => contents(&reader.folder.join(name))
            .map_err(|cause| format!("names a file that cannot be used: {cause}")),
    };
    match read {
        Ok(text) => accept(reader, key, &text, entry.origin.clone()),
        Err(rule) => {
            let finding = reader.finding(path, entry, &rule).help(
                "the file must hold nothing but the secret and be readable by this user; a relative path starts at the \
                 config file's folder",
            );
            reader.problem(finding);
            None
        }
    }
}

fn contents(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let secret = without_byte_order_mark(&text).trim_end_matches(['\r', '\n']);
    match secret.len() {
        0 => Err(format!("{} is empty", path.display())),
        n if n as u64 > MAX_SECRET_BYTES => Err(format!("{} is too large", path.display())),
        _ => Ok(secret.to_owned()),
    }
}

/// Secrets travel in headers and forms: a stray line break would be sent as part of one.
fn accept(
    reader: &mut Reader,
    key: &'static Key,
    text: &str,
    origin: Origin,
) -> Option<SecretString> {
    let wrong = match text {
        _ if text.trim().is_empty() => "is empty",
        _ if text.chars().any(char::is_control) => "holds a line break or a control character",
        _ if text.trim() != text => "starts or ends with a blank",
        _ => {
            reader.applies(key, (None, None), key.name, REDACTED.into(), &origin);
            return Some(SecretString::from(text));
        }
    };
    let from = match &origin {
        Origin::Variable(variable) => format!(" (from the variable {variable})"),
        _ => String::new(),
    };
    let finding = ConfigFinding::error(format!("the secret `{}` {wrong}{from}", key.path()));
    reader.problem(finding);
    None
}
