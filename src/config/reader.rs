//! Reads keys out of a [`Source`], notes every problem instead of stopping at the first, and remembers
//! where each value came from.

use std::{collections::BTreeMap, path::PathBuf};

use jobs::destination::Destination;

use super::{
    finding::ConfigFinding,
    key::{ConfigSection, Key, Presence, join},
    setting::{Setting, Wrong},
    source::{ConfigEntry, Origin, Source},
};

/// Reads keys.
pub(super) struct Reader {
    pub(super) source: Source,
    /// The environment, for the secrets' own variables.
    pub(super) variables: BTreeMap<String, String>,
    /// Relative paths start here: the config file's folder.
    pub(super) folder: PathBuf,
    /// Whether every user of the machine can read the config file.
    pub(super) exposed: bool,
    /// Whether a required key of the section at hand must be set: not in a disabled one.
    pub(super) demanding: bool,
    /// Whether secrets must be there: not to try the mapping, where none is used.
    pub(super) needs_secrets: bool,
    pub(super) problems: Vec<ConfigFinding>,
    pub(super) warnings: Vec<ConfigFinding>,
    /// What applies, for `config print`.
    pub(super) effective: Vec<Effective>,
}

/// One value that applies.
#[derive(Debug, Clone)]
pub(super) struct Effective {
    pub(super) section: &'static str,
    /// The table below the section, for the entries of a free table.
    pub(super) table: Option<&'static str>,
    /// Which of several tables, for those that come one after the other.
    pub(super) element: Option<usize>,
    pub(super) name: String,
    /// Redacted where it is a secret.
    pub(super) value: toml::Value,
    /// `default`, a variable's name or `relay.toml:12:5`.
    pub(super) origin: String,
}

impl Reader {
    pub(super) fn new(
        mut source: Source,
        variables: BTreeMap<String, String>,
        folder: PathBuf,
        exposed: bool,
    ) -> Self {
        Self {
            problems: std::mem::take(&mut source.findings),
            source,
            variables,
            folder,
            exposed,
            demanding: true,
            needs_secrets: true,
            warnings: Vec::new(),
            effective: Vec::new(),
        }
    }

    /// The value of a key or its default; `None` when there is neither; `Err` once a problem is noted.
    pub(super) fn setting<T: Setting>(&mut self, key: &'static Key) -> Result<Option<T>, ()> {
        let path = key.path();
        let entry = match (self.source.entries.get(&path), key.rule.presence) {
            (Some(entry), _) => entry.clone(),
            (None, Presence::Default(text)) => ConfigEntry {
                value: key.shape.value(text),
                origin: Origin::Default,
            },
            (None, _) => return Ok(None),
        };
        let value = T::parse(&entry.value).and_then(|value| bounded(value, key));
        match value {
            Ok(value) => {
                let shown = value.show(&entry.value);
                self.applies(key, (None, None), key.name, shown, &entry.origin);
                Ok(Some(value))
            }
            Err(wrong) => {
                self.reject(&path, &entry, wrong);
                Err(())
            }
        }
    }

    /// The entries of a free table.
    pub(super) fn table<T: Setting>(&mut self, key: &'static Key) -> Option<BTreeMap<String, T>> {
        let path = key.path();
        if let Some(entry) = self.source.entries.get(&path).cloned() {
            self.reject(&path, &entry, Wrong::new("must be a table"));
            return None;
        }
        let prefix = format!("{path}.");
        let entries: Vec<(String, ConfigEntry)> = self
            .source
            .entries
            .iter()
            .filter_map(|(path, entry)| {
                Some((path.strip_prefix(&prefix)?.to_owned(), entry.clone()))
            })
            .collect();
        let mut table = Some(BTreeMap::new());
        for (name, entry) in entries {
            match T::parse(&entry.value) {
                Ok(value) => {
                    let shown = value.show(&entry.value);
                    let place = (Some(key.name), None);
                    self.applies(key, place, &name, shown, &entry.origin);
                    if let Some(table) = &mut table {
                        table.insert(name, value);
                    }
                }
                Err(wrong) => {
                    self.reject(&join(&path, &name), &entry, wrong);
                    table = None;
                }
            }
        }
        table
    }

    /// Whether a section's `enabled` is not false; from here on only an enabled one must be complete.
    pub(super) fn is_enabled(&mut self, section: ConfigSection) -> bool {
        let off = section
            .key("enabled")
            .and_then(|key| self.source.entries.get(&key.path()))
            .is_some_and(|entry| entry.value.as_bool() == Some(false));
        self.demanding = !off;
        !off
    }

    /// Notes a required key that nobody set.
    pub(super) fn missing(&mut self, key: &Key) {
        let path = key.path();
        if !self.demanding || self.is_suspected(&path) {
            return;
        }
        let example = match key.rule.presence {
            Presence::Required(example) | Presence::Optional(example) => example,
            _ => "",
        };
        let place = match key.section {
            "" => "at the top of the file".to_owned(),
            section => format!("in [{section}]"),
        };
        let mut help = format!(
            "set it {place}, e.g. `{} = {}`, or in the variable {}",
            key.name,
            key.shape.value(example),
            key.variable()
        );
        if key.section.parse::<Destination>().is_ok() {
            help.push_str(&format!(
                "; or switch the destination off with `{}.enabled = false`",
                key.section
            ));
        }
        self.problem(ConfigFinding::error(format!("`{path}` is required")).help(help));
    }

    /// Whether a misspelt key was taken for this one, so that it is not reported as missing too.
    pub(super) fn is_suspected(&self, path: &str) -> bool {
        self.source.suspected.iter().any(|suspected| {
            path.strip_prefix(suspected.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
        })
    }

    /// Notes a problem with a key's value.
    pub(super) fn reject(&mut self, path: &str, entry: &ConfigEntry, wrong: Wrong) {
        let finding = ConfigFinding {
            help: wrong.help,
            ..self.finding(path, entry, &wrong.rule)
        };
        self.problem(finding);
    }

    /// Notes a problem with a key, wherever its value stands, and what to do about it.
    pub(super) fn refuse(&mut self, path: &str, rule: &str, help: impl Into<String>) {
        let finding = self.about(path, rule).help(help);
        self.problem(finding);
    }

    /// Notes a risk in the same way.
    pub(super) fn caution(&mut self, path: &str, rule: &str, help: impl Into<String>) {
        let finding = self.about(path, rule).help(help);
        self.warn(finding);
    }

    /// A finding at an entry's place.
    pub(super) fn finding(&self, path: &str, entry: &ConfigEntry, rule: &str) -> ConfigFinding {
        self.source.finding(path, entry, rule)
    }

    /// A finding about a key that has a value, wherever that stands.
    pub(super) fn about(&self, path: &str, rule: &str) -> ConfigFinding {
        self.source.about(path, rule)
    }

    pub(super) fn problem(&mut self, finding: ConfigFinding) {
        self.problems.push(finding);
    }

    pub(super) fn warn(&mut self, mut finding: ConfigFinding) {
        finding.severity = miette::Severity::Warning;
        self.warnings.push(finding);
    }

    /// Remembers a value for `config print`: a key's, or one of its table's, or of its tables' one.
    pub(super) fn applies(
        &mut self,
        key: &'static Key,
        (table, element): (Option<&'static str>, Option<usize>),
        name: &str,
        value: toml::Value,
        origin: &Origin,
    ) {
        let origin = self.origin(origin);
        self.effective.push(Effective {
            section: key.section,
            table,
            element,
            name: name.to_owned(),
            value,
            origin,
        });
    }

    /// Where a value came from, for people.
    pub(super) fn origin(&self, origin: &Origin) -> String {
        match origin {
            Origin::Default => "default".to_owned(),
            Origin::Variable(variable) => variable.clone(),
            Origin::File { key, .. } => self
                .source
                .at(key.clone(), "", String::new())
                .location()
                .unwrap_or_default(),
        }
    }
}

fn bounded<T: Setting>(value: T, key: &Key) -> Result<T, Wrong> {
    match (value.measure(), key.rule.within) {
        (Some(number), Some((least, greatest))) if !(least..=greatest).contains(&number) => {
            Err(Wrong::new(format!(
                "must be from {} to {}",
                T::show_bound(least),
                T::show_bound(greatest)
            )))
        }
        _ => Ok(value),
    }
}
