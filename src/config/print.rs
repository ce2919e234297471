//! `config print`: the configuration that applies, as TOML, with where each value came from.

use super::Loaded;

impl Loaded {
    /// Every value that applies, secrets as `"<redacted>"`.
    pub fn print(&self) -> String {
        let mut out = String::new();
        let mut current = (String::new(), None);
        for value in &self.effective {
            let table = match value.table {
                Some(table) => super::key::join(value.section, table),
                None => value.section.to_owned(),
            };
            if (&table, value.element) != (&current.0, current.1) {
                out.push_str(&match value.element {
                    Some(_) => format!("\n[[{table}]]\n"),
                    None => format!("\n[{table}]\n"),
                });
                current = (table, value.element);
            }
            let name = quoted(&value.name);
            out.push_str(&format!("{name} = {} # {}\n", value.value, value.origin));
        }
        out.trim_start().to_owned()
    }
}

/// A key as TOML writes it: bare where it can be.
fn quoted(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        toml::Value::from(name).to_string()
    }
}
