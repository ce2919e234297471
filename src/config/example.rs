//! `config example`: every key, documented, generated from the declarations.

use super::{
    SECTIONS,
    key::{ConfigSection, Key, Presence, Shape},
};

const HEAD: &str = "\
# relay.toml: the configuration of alumniq-relay.
#
# A line that starts with `#` and a key shows the default, or an example where there is none. Every key
# can be set by a variable instead: `crm.matching.enabled` by ALUMNIQ_RELAY__CRM__MATCHING__ENABLED.
# Relative paths start at the folder of this file.
";

/// A complete configuration file with comments. What is active in it is required; the secrets are
/// expected in their variables.
pub fn example() -> String {
    let mut out = HEAD.to_owned();
    // A table's free keys make a table of their own, which in TOML must follow the plain keys.
    for section in SECTIONS {
        head(&mut out, section);
        for key in section.keys.iter().filter(|key| !is_table(key)) {
            entry(&mut out, key);
        }
        for key in section.keys.iter().filter(|key| is_table(key)) {
            entry(&mut out, key);
        }
    }
    out
}

fn is_table(key: &Key) -> bool {
    matches!(key.rule.presence, Presence::Table(_) | Presence::Tables(_))
}

fn head(out: &mut String, section: &ConfigSection) {
    out.push('\n');
    comment(out, section.doc);
    if !section.path.is_empty() {
        out.push_str(&format!("[{}]\n", section.path));
    }
}

fn entry(out: &mut String, key: &Key) {
    out.push('\n');
    comment(out, key.doc);
    let name = key.name;
    let value = |text: &str| key.shape.value(text);
    match key.rule.presence {
        Presence::Required(example) => out.push_str(&format!("{name} = {}\n", value(example))),
        Presence::Default(text) | Presence::Optional(text) => {
            out.push_str(&format!("# {name} = {}\n", value(text)));
        }
        Presence::Secret(_) => {
            out.push_str(&format!(
                "# Secret: set the variable {}, or name a file that holds it:\n\
                 # {} = \"/run/secrets/{}_{name}\"\n",
                key.named_variable(),
                key.file_name(),
                key.section,
            ));
        }
        Presence::Table(example) | Presence::Tables(example) => {
            out.push_str(&match key.shape {
                // An empty one would be one too many.
                Shape::Tables => format!("# [[{}]]\n", key.path()),
                _ => format!("[{}]\n", key.path()),
            });
            for line in example.lines() {
                out.push_str(&format!("# {line}\n"));
            }
        }
    }
}

fn comment(out: &mut String, doc: &[&str]) {
    for line in doc {
        out.push_str(&format!("#{line}\n"));
    }
}
