//! What somebody wrote into the form.

use std::collections::BTreeMap;

use jobs::destination::Vendor;
use maud::{Markup, html};

use crate::operations::wire::Draft;

/// What stands before the name of a row's field.
pub const FIELD: &str = "field.";

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditAction {
    /// Show what would be sent.
    Preview,
    /// Go on writing.
    Change,
    /// Put it in place of the row, and replay.
    Replay,
}

/// The fields as they were written. Holds personal data.
pub struct Typed {
    /// Which button.
    pub step: EditAction,
    /// Of the row that was seen.
    pub version: String,
    /// Where else the change is replayed.
    pub also: Vec<Vendor>,
    fields: BTreeMap<String, String>,
}

impl Typed {
    /// Nothing written yet.
    pub fn of(draft: &Draft) -> Self {
        let fields = draft.editable();
        Self {
            step: EditAction::Preview,
            version: draft.version.clone(),
            also: Vec::new(),
            fields: fields
                .map(|field| (field.name.clone(), field.text.clone()))
                .collect(),
        }
    }

    /// As a browser sends it. A step that nobody knows only shows.
    pub fn read(sent: Vec<(String, String)>) -> Self {
        let mut typed = Self {
            step: EditAction::Preview,
            version: String::new(),
            also: Vec::new(),
            fields: BTreeMap::new(),
        };
        for (name, value) in sent {
            match (name.as_str(), name.strip_prefix(FIELD)) {
                (_, Some(field)) => {
                    // Browsers end lines in their own way.
                    let value = value.replace("\r\n", "\n");
                    typed.fields.insert(field.to_owned(), value);
                }
                ("also", _) => typed.also.extend(value.parse::<Vendor>().ok()),
                ("version", _) => typed.version = value,
                ("step", _) => {
                    typed.step = match value.as_str() {
                        "replay" => EditAction::Replay,
                        "change" => EditAction::Change,
                        _ => EditAction::Preview,
                    };
                }
                _ => {}
            }
        }
        typed
    }

    /// What stands in a field; as in the row where nobody wrote anything.
    pub fn text<'t>(&'t self, name: &str, row: &'t str) -> &'t str {
        self.fields.get(name).map_or(row, String::as_str)
    }

    /// What is to be another than in the row. A value that cannot be read is always replaced: nothing could be sent
    /// with it.
    pub fn edits(&self, draft: &Draft) -> BTreeMap<String, String> {
        let is_other = |name: &str, text: &str| {
            let row = draft.fields.iter().find(|field| field.name == name);
            row.is_none_or(|row| {
                row.unreadable.is_some() || row.text.replace("\r\n", "\n") != text.trim()
            })
        };
        let written = self.fields.iter();
        written
            .filter(|(name, text)| is_other(name, text))
            .map(|(name, text)| (name.clone(), text.trim().to_owned()))
            .collect()
    }

    /// The same in a form that goes on with it.
    pub fn hidden(&self) -> Markup {
        html! {
            input type="hidden" name="version" value=(self.version);
            @for (name, text) in &self.fields { input type="hidden" name={ (FIELD) (name) } value=(text); }
        }
    }
}
