//! The types that a key can have: how each is read from TOML and what it tells people when it cannot.

use std::{path::PathBuf, time::Duration};

use jobs::mapping::MapValue;

use super::{key::Shape, nearest::nearest};

/// Why a value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Completes "`key` …", e.g. `must be a whole number`.
    pub(super) rule: String,
    /// What to write instead.
    pub(super) help: Option<String>,
}

impl Wrong {
    pub(super) fn new(rule: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            help: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn expected(what: &str, found: &toml::Value) -> Self {
        Self::new(format!("must be {what}, not {}", type_name(found)))
    }
}

fn type_name(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "a text",
        toml::Value::Integer(_) => "a whole number",
        toml::Value::Float(_) => "a fraction",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a table",
    }
}

/// A type of value.
pub(super) trait Setting: Sized {
    /// How a variable's text is read.
    const SHAPE: Shape;

    /// Reads the value.
    fn parse(value: &toml::Value) -> Result<Self, Wrong>;

    /// The number that a key's bounds speak of; durations in seconds.
    fn measure(&self) -> Option<f64> {
        None
    }

    /// A bound in words.
    fn show_bound(bound: f64) -> String {
        bound.to_string()
    }

    /// The value as `config print` shows it.
    fn show(&self, value: &toml::Value) -> toml::Value {
        value.clone()
    }
}

/// The text of a string value.
pub(super) fn text(value: &toml::Value) -> Result<&str, Wrong> {
    value
        .as_str()
        .ok_or_else(|| Wrong::expected("a text in quotes", value))
}

impl Setting for String {
    const SHAPE: Shape = Shape::Text;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        text(value).map(str::to_owned)
    }
}

impl Setting for bool {
    const SHAPE: Shape = Shape::Value;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        value
            .as_bool()
            .ok_or_else(|| Wrong::expected("true or false", value))
    }
}

impl Setting for u32 {
    const SHAPE: Shape = Shape::Value;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        let number = value
            .as_integer()
            .ok_or_else(|| Wrong::expected("a whole number", value))?;
        Self::try_from(number).map_err(|_| Wrong::new(format!("must be from 0 to {}", Self::MAX)))
    }

    fn measure(&self) -> Option<f64> {
        Some(f64::from(*self))
    }
}

impl Setting for f64 {
    const SHAPE: Shape = Shape::Value;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        match value {
            toml::Value::Float(number) => Ok(*number),
            toml::Value::Integer(number) => i32::try_from(*number)
                .map(Self::from)
                .map_err(|_| Wrong::new("is too large")),
            other => Err(Wrong::expected("a number", other)),
        }
    }

    fn measure(&self) -> Option<f64> {
        Some(*self)
    }
}

impl Setting for PathBuf {
    const SHAPE: Shape = Shape::Text;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        match text(value)? {
            "" => Err(Wrong::new("must not be empty")),
            path => Ok(Self::from(path)),
        }
    }
}

const DURATION_HELP: &str = r#"write a number and a unit, e.g. "5s", "15m", "1h 30m", "14d""#;

impl Setting for Duration {
    const SHAPE: Shape = Shape::Text;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        if value.as_integer() == Some(0) {
            return Ok(Self::ZERO);
        }
        let written = value
            .as_str()
            .ok_or_else(|| Wrong::expected("a duration", value).help(DURATION_HELP))?;
        humantime::parse_duration(written.trim())
            .map_err(|error| Wrong::new(format!("is no duration ({error})")).help(DURATION_HELP))
    }

    fn measure(&self) -> Option<f64> {
        Some(self.as_secs_f64())
    }

    fn show_bound(bound: f64) -> String {
        humantime::format_duration(Self::from_secs_f64(bound)).to_string()
    }
}

impl Setting for Vec<String> {
    const SHAPE: Shape = Shape::TextOrList;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        match value {
            toml::Value::String(one) => Ok(vec![one.clone()]),
            toml::Value::Array(many) => many
                .iter()
                .map(|item| text(item).map(str::to_owned))
                .collect(),
            other => Err(Wrong::expected("a list of texts", other)),
        }
    }
}

/// Reads one of a closed set of words.
pub(super) fn word<T: Copy>(value: &toml::Value, words: &[(&'static str, T)]) -> Result<T, Wrong> {
    let written = text(value)?;
    if let Some((_, meant)) = words.iter().find(|(word, _)| *word == written) {
        return Ok(*meant);
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let wrong = Wrong::new(format!(
        "must be one of {}",
        names
            .iter()
            .map(|name| format!("{name:?}"))
            .collect::<Vec<_>>()
            .join(", ")
    ));
    Err(match nearest(written, names) {
        Some(name) => wrong.help(format!("did you mean {name:?}?")),
        None => wrong,
    })
}

/// Declares a closed set of words: an enum, each variant with the word that the file holds.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $word:literal, )* }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[$variant_meta])* $variant, )* }

        impl $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),*];

            /// The word as it stands in the config file.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl $crate::config::setting::Setting for $name {
            const SHAPE: $crate::config::key::Shape = $crate::config::key::Shape::Text;

            fn parse(value: &toml::Value) -> Result<Self, $crate::config::setting::Wrong> {
                $crate::config::setting::word(value, Self::WORDS)
            }
        }
    };
}
pub(super) use words;

impl Setting for MapValue {
    const SHAPE: Shape = Shape::Table;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        value.clone().try_into().map_err(|_| {
            Wrong::new(
                "must be a template in quotes, true or false, a whole number or a list of tables",
            )
            .help(r#"e.g. "{{ phone }}", or false to leave the field out"#)
        })
    }
}
