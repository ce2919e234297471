//! The config file and the overriding variables, flattened to one entry a key, with where each came from.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use jobs::destination::Destination;
use miette::NamedSource;
use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{
    SECTIONS,
    finding::{ConfigFinding, SourceLocation},
    key::{self, Key, Shape},
    mask, nearest,
};

/// The tables that say how rows are read and mapped, beside the destinations' maps.
const MAPPING: [&str; 2] = ["alumniq.fields", "map.test"];

/// One key's value and where it came from.
#[derive(Debug, Clone)]
pub(super) struct ConfigEntry {
    pub(super) value: toml::Value,
    pub(super) origin: Origin,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The config file, at these bytes.
    File {
        key: Range<usize>,
        value: Range<usize>,
    },
    /// An environment variable.
    Variable(String),
    /// Nobody set it.
    Default,
}

/// Everything that was set, by dotted path, and what is wrong with how it was set.
#[derive(Debug)]
pub(super) struct Source {
    /// The file's text with its secrets masked, for the carets.
    pub(super) text: Arc<NamedSource<String>>,
    pub(super) entries: BTreeMap<String, ConfigEntry>,
    pub(super) findings: Vec<ConfigFinding>,
    /// Right names that a wrong one was taken for: not reported as missing too.
    pub(super) suspected: Vec<String>,
    /// Whether the file is no TOML: then its keys are not looked at, half of them would seem missing.
    pub(super) is_broken: bool,
}

impl Source {
    /// Reads a file's text and lays the variables over it.
    pub(super) fn new(name: &str, text: &str, variables: &BTreeMap<String, String>) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let masked = mask::text(text, table.get_ref(), &secret_names());
        let mut source = Self {
            text: Arc::new(NamedSource::new(name, masked).with_language("TOML")),
            entries: BTreeMap::new(),
            findings: Vec::new(),
            suspected: Vec::new(),
            is_broken: !errors.is_empty(),
        };
        for error in errors {
            let message = format!("this is not TOML: {}", error.message());
            let finding = match error.span() {
                Some(span) => source.at(span, "here", message),
                None => ConfigFinding::error(message),
            };
            source.findings.push(finding);
        }
        if !source.is_broken {
            source.walk("", table.get_ref());
            for (variable, text) in variables {
                source.overlay(variable, text);
            }
        }
        source
    }

    /// What belongs to the mapping alone.
    pub(super) fn of_the_mapping(mut self) -> Self {
        let maps = Destination::ALL.map(|at| format!("{at}.map"));
        let tables: Vec<&str> = (MAPPING.into_iter())
            .chain(maps.iter().map(String::as_str))
            .collect();
        let is_of_it = |path: &str| {
            tables.iter().any(|table| {
                path.strip_prefix(table)
                    .is_some_and(|rest| rest.starts_with(['.', '[']))
            })
        };
        self.entries.retain(|path, _| is_of_it(path));
        self
    }

    /// A problem at a place of the file.
    pub(super) fn at(&self, span: Range<usize>, label: &str, message: String) -> ConfigFinding {
        let mut finding = ConfigFinding::error(message);
        finding.place = Some(SourceLocation {
            source: Arc::clone(&self.text),
            span,
            label: label.to_owned(),
        });
        finding
    }

    /// A finding at an entry's place.
    pub(super) fn finding(&self, path: &str, entry: &ConfigEntry, rule: &str) -> ConfigFinding {
        match &entry.origin {
            Origin::File { value, .. } => {
                let message = format!("`{path}` {rule}");
                self.at(value.clone(), "this value", message)
            }
            Origin::Variable(variable) => {
                ConfigFinding::error(format!("`{path}` {rule} (set by the variable {variable})"))
            }
            Origin::Default => ConfigFinding::error(format!("`{path}` {rule}")),
        }
    }

    /// A finding about a key that has a value, wherever that stands.
    pub(super) fn about(&self, path: &str, rule: &str) -> ConfigFinding {
        match self.entries.get(path) {
            Some(entry) => self.finding(path, entry, rule),
            None => ConfigFinding::error(format!("`{path}` {rule}")),
        }
    }

    fn walk(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let path = key::join(prefix, name.get_ref());
            let known = find(&path);
            match (known, value.get_ref()) {
                (Some((key, _)), DeValue::Table(children)) if key.shape == Shape::Table => {
                    self.walk(&path, children);
                }
                (Some((key, _)), DeValue::Array(items)) if key.shape == Shape::Tables => {
                    for (at, item) in items.iter().enumerate() {
                        self.insert_whole(format!("{path}[{at}]"), item.span(), item);
                    }
                }
                (Some(_), _) => self.insert(path, name.span(), value),
                (None, DeValue::Table(children)) if is_section(&path) => {
                    self.walk(&path, children);
                }
                (None, _) if is_section(&path) => {
                    let finding = self
                        .at(value.span(), "not a table", format!("`{path}` is a table"))
                        .help(format!("write [{path}] and its keys below it"));
                    self.findings.push(finding);
                }
                (None, _) => {
                    let message = format!("`{path}` is not a key");
                    let finding = self.at(name.span(), "unknown key", message);
                    self.unknown(&path, finding);
                }
            }
        }
    }

    /// The value, and all within it under paths of their own, so that each can be pointed at.
    fn insert_whole(&mut self, path: String, key: Range<usize>, value: &Spanned<DeValue<'_>>) {
        if let DeValue::Table(children) = value.get_ref() {
            for (name, child) in children {
                let path = key::join(&path, name.get_ref());
                self.insert_whole(path, name.span(), child);
            }
        }
        self.insert(path, key, value);
    }

    fn insert(&mut self, path: String, key: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let span = value.span();
        match toml::Value::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(value) => {
                let origin = Origin::File { key, value: span };
                self.entries.insert(path, ConfigEntry { value, origin });
            }
            Err(error) => {
                let finding = self.at(span, "unusable", format!("`{path}`: {}", error.message()));
                self.findings.push(finding);
            }
        }
    }

    fn overlay(&mut self, variable: &str, text: &str) {
        let Some(rest) = variable.strip_prefix(key::VARIABLE_PREFIX) else {
            return;
        };
        let path = rest.replace("__", ".");
        let lower = path.to_lowercase();
        match find(&lower) {
            Some((key, child)) if key.shape == Shape::Table && !child.is_empty() => {
                // A table's own keys keep their case; one that the file already has is meant in any case.
                let table = key.path();
                let as_typed = key::join(&table, &path[path.len() - child.len()..]);
                let path = self
                    .entries
                    .keys()
                    .find(|known| known.eq_ignore_ascii_case(&as_typed))
                    .cloned()
                    .unwrap_or(as_typed);
                self.set_variable(path, key.shape.value(text), variable);
            }
            Some((key, _)) if key.shape == Shape::Table => self.whole_table(variable),
            Some((key, _)) if key.shape == Shape::Tables => {
                let path = key.path();
                let finding = ConfigFinding::error(format!("the variable {variable} sets nothing"))
                    .help(format!("write [[{path}]] in the file"));
                self.findings.push(finding);
            }
            // An empty variable is how container tools say "not set".
            Some(_) if text.is_empty() => {}
            Some((key, _)) => self.set_variable(lower, key.shape.value(text), variable),
            None if is_section(&lower) => self.whole_table(variable),
            None => {
                let finding = ConfigFinding::error(format!("the variable {variable} names no key"));
                self.unknown(&lower, finding);
            }
        }
    }

    fn whole_table(&mut self, variable: &str) {
        let finding = ConfigFinding::error(format!("the variable {variable} names a whole table"))
            .help(format!("name one key in it: {variable}__KEY"));
        self.findings.push(finding);
    }

    fn set_variable(&mut self, path: String, value: toml::Value, variable: &str) {
        let origin = Origin::Variable(variable.to_owned());
        self.entries.insert(path, ConfigEntry { value, origin });
    }

    /// Adds what the unknown `path` may have meant.
    fn unknown(&mut self, path: &str, finding: ConfigFinding) {
        let from_variable = finding.place.is_none();
        let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
        let spelt = |meant: &str| match from_variable {
            true => key::variable(meant),
            false => meant.to_owned(),
        };
        let place = |section: &str| match section {
            "" => "at the top of the file, before the first [table]".to_owned(),
            section => format!("in [{section}]"),
        };
        let here = names(section);
        // `url` is most likely short for the section's own `webhook_url`.
        let longer = here
            .iter()
            .find(|known| known.split('_').any(|word| word == name))
            .map(|longer| key::join(section, longer));
        let elsewhere = keys().find(|key| accepts(key, name));
        let (meant, help) = match (longer, elsewhere) {
            (None, Some(key)) => {
                let help = match from_variable {
                    true => format!("did you mean `{}`?", key.variable()),
                    false => format!("`{name}` belongs {}", place(key.section)),
                };
                (Some(key::join(key.section, name)), help)
            }
            (longer, _) => {
                let meant = longer
                    .or_else(|| nearest(name, &here).map(|near| key::join(section, &near)))
                    .or_else(|| nearest(path, &paths()));
                let help = match &meant {
                    Some(meant) => format!("did you mean `{}`?", spelt(meant)),
                    None => "`alumniq-relay config example` shows every key".to_owned(),
                };
                (meant, help)
            }
        };
        self.suspected.extend(meant);
        self.findings.push(finding.help(help));
    }
}

fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

fn secret_names() -> Vec<&'static str> {
    keys()
        .filter(|key| key.is_secret())
        .map(|key| key.name)
        .collect()
}

/// Whether `name` is the key itself or its `_file` form.
fn accepts(key: &Key, name: &str) -> bool {
    key.name == name || (key.is_secret() && key.file_name() == name)
}

/// The key that `path` names, and for an entry of a free table its name.
fn find(path: &str) -> Option<(&'static Key, &str)> {
    keys().find_map(|key| {
        let whole = key.path();
        let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
        let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
        if key.section == parent && accepts(key, name) {
            return Some((key, ""));
        }
        let child = path.strip_prefix(&whole)?.strip_prefix('.')?;
        (key.shape == Shape::Table).then_some((key, child))
    })
}

fn is_section(path: &str) -> bool {
    SECTIONS.iter().any(|section| {
        section
            .path
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// What may stand directly in `section`: its keys and the tables within it.
fn names(section: &str) -> Vec<String> {
    let keys = keys()
        .filter(|key| key.section == section)
        .flat_map(|key| {
            let file = key.is_secret().then(|| key.file_name());
            [Some(key.name.to_owned()), file]
        })
        .flatten();
    let tables = SECTIONS
        .iter()
        .filter_map(|inner| match section {
            "" => Some(inner.path),
            outer => inner.path.strip_prefix(outer)?.strip_prefix('.'),
        })
        .filter(|name| !name.is_empty() && !name.contains('.'))
        .map(str::to_owned);
    keys.chain(tables).collect()
}

fn paths() -> Vec<String> {
    keys().map(Key::path).collect()
}

fn nearest(word: &str, candidates: &[String]) -> Option<String> {
    nearest::nearest(word, candidates.iter().map(String::as_str)).map(str::to_owned)
}
