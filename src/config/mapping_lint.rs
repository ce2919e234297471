//! What in `[alumniq.fields]`, `[crm.map]` and `[salsa.map]` does nothing, at its place in the file.

use std::collections::BTreeSet;

use jobs::{crm_update::CrmMapping, salsa_upsert::SalsaMapping, trial::DestinationMapping};
use miette::Severity;

use super::{ConfigFinding, Loaded, source::ConfigEntry};

/// What the program itself reads of a row.
const OUR_OWN: [&str; 3] = ["changeId", "xid", "changedOn"];
/// What Salsa's supporters are added with, and anonymous ones found by.
const EMAIL: &str = "email";

type Defaults = &'static [(&'static str, &'static str)];

impl Loaded {
    /// Warnings, in the order of the file.
    pub fn lint(&self) -> Vec<ConfigFinding> {
        let mut found = self.unused_fields();
        found.extend(self.idle_entries("crm.map", CrmMapping::defaults()));
        found.extend(self.idle_entries("salsa.map", SalsaMapping::defaults()));
        for finding in &mut found {
            finding.severity = Severity::Warning;
        }
        found.sort_by_key(|finding| finding.place.as_ref().map(|place| place.span.start));
        found
    }

    /// Fields that are declared and go nowhere, and fields that are switched off and used.
    fn unused_fields(&self) -> Vec<ConfigFinding> {
        let mut found = Vec::new();
        for (declared, keys) in &self.config.alumniq.fields {
            let names = self.config.mappings.names.canonical();
            let name = names
                .into_iter()
                .find(|name| name.eq_ignore_ascii_case(declared))
                .unwrap_or(declared);
            let path = format!("alumniq.fields.{declared}");
            let is_used = self.is_used(name);
            if keys.is_empty() && is_used {
                found.push(
                    self.mapping
                        .about(&path, "is switched off, and a template uses it")
                        .help(
                            "no row has it then: give it its keys, or take it out of the templates",
                        ),
                );
            } else if !keys.is_empty() && !is_used {
                found.push(self.mapping.about(&path, "is used by no template").help(
                    "what the rows hold there is sent nowhere: name it in [crm.map] or [salsa.map], or remove it",
                ));
            }
        }
        found
    }

    fn is_used(&self, name: &str) -> bool {
        let mappings = &self.config.mappings;
        let crm = mappings.crm.as_ref().map(|crm| crm.fields());
        let salsa = mappings.salsa.as_ref().map(|salsa| salsa.fields());
        OUR_OWN.contains(&name)
            || name == EMAIL
            || used(name, crm, || self.texts("crm.map", CrmMapping::defaults()))
            || used(name, salsa, || {
                self.texts("salsa.map", SalsaMapping::defaults())
            })
    }

    /// The templates of a destination that is switched off, which are not compiled.
    fn texts(&self, table: &str, defaults: Defaults) -> Vec<String> {
        let own = self
            .of_table(table)
            .map(|(_, entry)| entry.value.to_string());
        let defaults = defaults.iter().map(|(_, source)| (*source).to_owned());
        own.chain(defaults).collect()
    }

    fn of_table(&self, table: &str) -> impl Iterator<Item = (&str, &ConfigEntry)> {
        let entries = self.mapping.entries.iter();
        entries.filter_map(move |(path, entry)| {
            let target = path.strip_prefix(table)?.strip_prefix('.')?;
            Some((target, entry))
        })
    }

    /// Entries that change nothing.
    fn idle_entries(&self, table: &'static str, defaults: Defaults) -> Vec<ConfigFinding> {
        let entries = self.of_table(table).filter_map(|(target, entry)| {
            let default = defaults
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(target))
                .map(|(_, source)| *source);
            self.idle(&format!("{table}.{target}"), entry, default, table)
        });
        entries.collect()
    }

    fn idle(
        &self,
        path: &str,
        entry: &ConfigEntry,
        default: Option<&str>,
        table: &str,
    ) -> Option<ConfigFinding> {
        let is_off = match &entry.value {
            toml::Value::String(source) => source.trim().is_empty(),
            // A boolean field of the CRM takes `false` for what it is, and has no default.
            toml::Value::Boolean(flag) => !flag && table == "salsa.map",
            _ => false,
        };
        let written = entry.value.as_str().map(str::trim);
        let rule = match default {
            Some(default) if written == Some(default.trim()) => "is the default, word for word",
            None if is_off => "switches off what is not sent anyway",
            _ => return None,
        };
        Some(
            self.mapping
                .finding(path, entry, rule)
                .help("remove it: it does nothing"),
        )
    }
}

fn used(name: &str, compiled: Option<BTreeSet<&str>>, texts: impl FnOnce() -> Vec<String>) -> bool {
    match compiled {
        Some(fields) => fields.contains(name),
        None => texts().iter().any(|text| names_it(text, name)),
    }
}

/// Whether `name` stands in `text` as a word.
fn names_it(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| word == name)
}
