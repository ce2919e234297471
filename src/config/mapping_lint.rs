//! What in `[alumniq.fields]` and the destinations' maps does nothing, at its place in the file.

use jobs::{destination::Destination, map_format::map_format, trial::DestinationMappings};
use miette::Severity;

use super::{ConfigFinding, Loaded, source::ConfigEntry};

/// What the program itself reads of a row.
const OUR_OWN: [&str; 3] = ["changeId", "xid", "changedOn"];
/// What somebody new is added with, and anonymous people are found by.
const EMAIL: &str = "email";

impl Loaded {
    /// Warnings, in the order of the file.
    pub fn lint(&self) -> Vec<ConfigFinding> {
        let mut found = self.unused_fields();
        found.extend(
            Destination::ALL
                .into_iter()
                .flat_map(|at| self.idle_entries(at)),
        );
        for finding in &mut found {
            finding.severity = Severity::Warning;
        }
        found.sort_by_key(|finding| finding.place.as_ref().map(|place| place.span.start));
        found
    }

    /// Fields that are declared and go nowhere, and fields that are switched off and used.
    fn unused_fields(&self) -> Vec<ConfigFinding> {
        let mut found = Vec::new();
        let mappings = self.config.mappings.by_destination();
        for (declared, keys) in &self.config.alumniq.fields {
            let names = self.config.mappings.names.canonical();
            let name = names
                .into_iter()
                .find(|name| name.eq_ignore_ascii_case(declared))
                .unwrap_or(declared);
            let path = format!("alumniq.fields.{declared}");
            let is_used = self.is_used(name, &mappings);
            if keys.is_empty() && is_used {
                found.push(
                    self.mapping
                        .about(&path, "is switched off, and a template uses it")
                        .help(
                            "no row has it then: give it its keys, or take it out of the templates",
                        ),
                );
            } else if !keys.is_empty() && !is_used {
                found.push(
                    self.mapping
                        .about(&path, "is used by no template")
                        .help(format!(
                            "what the rows hold there is sent nowhere: name it in {}, or remove it",
                            maps()
                        )),
                );
            }
        }
        found
    }

    fn is_used(&self, name: &str, mappings: &DestinationMappings) -> bool {
        let sends = |at: Destination| match mappings.get(&at) {
            Some(mapping) => mapping.fields().contains(name),
            None => self.texts(at).iter().any(|text| names_it(text, name)),
        };
        OUR_OWN.contains(&name) || name == EMAIL || Destination::ALL.into_iter().any(sends)
    }

    /// The templates of a destination that is switched off, which are not compiled.
    fn texts(&self, at: Destination) -> Vec<String> {
        let table = map_of(at);
        let own = self.of_table(&table);
        let own = own.map(|(_, entry)| entry.value.to_string());
        let defaults = map_format(at).defaults.iter();
        own.chain(defaults.map(|(_, source)| (*source).to_owned()))
            .collect()
    }

    fn of_table<'l>(&'l self, table: &'l str) -> impl Iterator<Item = (&'l str, &'l ConfigEntry)> {
        let entries = self.mapping.entries.iter();
        entries.filter_map(move |(path, entry)| {
            let target = path.strip_prefix(table)?.strip_prefix('.')?;
            Some((target, entry))
        })
    }

    /// Entries that change nothing.
    fn idle_entries(&self, at: Destination) -> Vec<ConfigFinding> {
        let (table, format) = (map_of(at), map_format(at));
        let entries = self.of_table(&table).filter_map(|(target, entry)| {
            let defaults = format.defaults.iter();
            let default = defaults
                .filter(|(name, _)| name.eq_ignore_ascii_case(target))
                .map(|(_, source)| *source)
                .next();
            self.idle(&format!("{table}.{target}"), entry, default, format.is_text)
        });
        entries.collect()
    }

    fn idle(
        &self,
        path: &str,
        entry: &ConfigEntry,
        default: Option<&str>,
        is_text: bool,
    ) -> Option<ConfigFinding> {
        let is_off = match &entry.value {
            toml::Value::String(source) => source.trim().is_empty(),
            // A boolean field takes `false` for what it is, and has no default.
            toml::Value::Boolean(flag) => !flag && is_text,
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

fn map_of(at: Destination) -> String {
    format!("{at}.map")
}

/// Every destination's map, as an enumeration.
fn maps() -> String {
    Destination::ALL
        .map(|at| format!("[{}]", map_of(at)))
        .join(" or ")
}

/// Whether `name` stands in `text` as a word.
fn names_it(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| word == name)
}
