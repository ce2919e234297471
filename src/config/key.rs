//! What a key is: its name, default, variable and documentation, declared once beside the field that
//! it fills. The loader, the check for unknown keys, `config print` and `config example` all read the
//! same declaration.

/// A group of keys: one table of the file, one struct of the program.
#[derive(Debug, Clone, Copy)]
pub struct ConfigSection {
    /// The table's name, e.g. `crm.matching`; empty for the keys above the first table.
    pub path: &'static str,
    /// The struct's documentation, line by line.
    pub doc: &'static [&'static str],
    /// The keys, in the order in which they are shown.
    pub keys: &'static [Key],
}

impl ConfigSection {
    /// The key of that name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The table that it stands in.
    pub section: &'static str,
    /// Its name within the table.
    pub name: &'static str,
    /// The field's documentation, line by line.
    pub doc: &'static [&'static str],
    /// How a variable's text becomes its value.
    pub shape: Shape,
    /// Where its value comes from and what bounds it.
    pub rule: KeyRule,
}

impl Key {
    /// The whole name, e.g. `crm.matching.enabled`.
    pub fn path(&self) -> String {
        join(self.section, self.name)
    }

    /// The environment variable that overrides it, e.g. `ALUMNIQ_RELAY__CRM__MATCHING__ENABLED`.
    pub fn variable(&self) -> String {
        variable(&self.path())
    }

    /// The variable that people set: a secret's own, where it has one.
    pub fn named_variable(&self) -> String {
        match self.rule.presence {
            Presence::Secret(Some(own)) => own.to_owned(),
            _ => self.variable(),
        }
    }

    /// Whether its value must never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.rule.presence, Presence::Secret(_))
    }

    /// The key that names a file with the secret, e.g. `api_key_file`; secrets only.
    pub fn file_name(&self) -> String {
        format!("{}_file", self.name)
    }
}

/// The variable of a dotted path.
pub(super) fn variable(path: &str) -> String {
    format!(
        "{VARIABLE_PREFIX}{}",
        path.to_uppercase().replace('.', "__")
    )
}

/// What every overriding variable starts with.
pub const VARIABLE_PREFIX: &str = "ALUMNIQ_RELAY__";

/// `section.name`, or the name alone at the top.
pub(super) fn join(section: &str, name: &str) -> String {
    if section.is_empty() {
        name.to_owned()
    } else {
        format!("{section}.{name}")
    }
}

/// How the text of an environment variable is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As it stands.
    Text,
    /// As it stands, or as a TOML array when it starts with `[`.
    TextOrList,
    /// As a TOML value: numbers and booleans.
    Value,
    /// A table with keys of the user's choice.
    Table,
    /// Tables one after the other, `[[like.this]]`; the file alone can hold them.
    Tables,
}

impl Shape {
    /// The TOML value that a variable's text stands for. Text that is no TOML stays text, so that the
    /// key's own type can say what it expects.
    pub(super) fn value(self, text: &str) -> toml::Value {
        let plain = || toml::Value::String(text.to_owned());
        let literal = || text.trim().parse().unwrap_or_else(|_| plain());
        match self {
            Self::Text => plain(),
            Self::Value => literal(),
            Self::TextOrList if text.trim_start().starts_with('[') => literal(),
            Self::TextOrList => plain(),
            Self::Table if matches!(text.trim(), "true" | "false") => literal(),
            Self::Table if text.trim_start().starts_with('[') => literal(),
            Self::Table | Self::Tables => plain(),
        }
    }
}

/// Where a key's value comes from when nobody sets it, and what bounds it.
#[derive(Debug, Clone, Copy)]
pub struct KeyRule {
    /// Default or not.
    pub presence: Presence,
    /// Least and greatest number (durations: seconds), both allowed.
    pub within: Option<(f64, f64)>,
}

impl KeyRule {
    /// Bounds a number or a duration (in seconds).
    pub(super) const fn within(self, least: f64, greatest: f64) -> Self {
        Self {
            within: Some((least, greatest)),
            ..self
        }
    }
}

/// Whether a key must be set. Texts are as a variable would hold them.
#[derive(Debug, Clone, Copy)]
pub enum Presence {
    /// It must be: an example for `config example`.
    Required(&'static str),
    /// It need not be: its default.
    Default(&'static str),
    /// Unset has a meaning of its own: an example.
    Optional(&'static str),
    /// A secret: from a variable, from a file, or (with a warning) from the config file itself. Its own variable, e.g.
    /// `CRM_PASSWORD`, beside the one that every key has.
    Secret(Option<&'static str>),
    /// A table with keys of the user's choice: lines for `config example`.
    Table(&'static str),
    /// Tables one after the other: lines of one of them.
    Tables(&'static str),
}

const fn rule(presence: Presence) -> KeyRule {
    KeyRule {
        presence,
        within: None,
    }
}

/// A key that must be set.
pub(super) const fn required(example: &'static str) -> KeyRule {
    rule(Presence::Required(example))
}

/// A key with a default.
pub(super) const fn default(text: &'static str) -> KeyRule {
    rule(Presence::Default(text))
}

/// A key that may be unset.
pub(super) const fn optional(example: &'static str) -> KeyRule {
    rule(Presence::Optional(example))
}

/// A secret with a variable of its own.
pub(super) const fn secret(variable: &'static str) -> KeyRule {
    rule(Presence::Secret(Some(variable)))
}

/// A secret without a variable of its own.
pub(super) const fn unnamed_secret() -> KeyRule {
    rule(Presence::Secret(None))
}

/// A table with keys of the user's choice.
pub(super) const fn table(example: &'static str) -> KeyRule {
    rule(Presence::Table(example))
}

/// Tables one after the other.
pub(super) const fn tables(example: &'static str) -> KeyRule {
    rule(Presence::Tables(example))
}
