//! What `map try` and `map test` print: for people, and as JSON.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

use jobs::trial::{Death, ExampleMismatch, Mapped, Tried};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    commands::one_line,
    config::{ConfigFinding, ExampleRun},
};

/// `map try --json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct MapTryReport {
    /// In the order of the input.
    pub items: Vec<TriedRow>,
}

/// What would become of a row.
#[derive(Debug, Serialize, ToSchema)]
pub struct TriedRow {
    /// Absent where the row has none that can be read.
    pub change_id: Option<String>,
    /// The row's keys that nothing maps.
    pub unmapped: Vec<String>,
    /// Of the destinations that are switched on.
    pub destinations: BTreeMap<&'static str, TriedDestination>,
}

/// What one destination would get.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct TriedDestination {
    /// The document as it would be sent; where it is laid over a record, the one for somebody who has nothing yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub document: Option<Value>,
    /// What is laid over the record that the destination has, by the names of its map.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub laid_over: Option<Map<String, Value>>,
    /// Why nobody could be added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_added: Option<TriedDeath>,
    /// Nothing would be sent: the row would be a dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead: Option<TriedDeath>,
}

/// Why a row would be a dead letter.
#[derive(Debug, Serialize, ToSchema)]
pub struct TriedDeath {
    /// Which kind of dead letter.
    pub class: String,
    /// Why.
    pub cause: String,
    /// What a person can do about it.
    pub advice: String,
}

impl From<Death> for TriedDeath {
    fn from(death: Death) -> Self {
        Self {
            class: death.class.to_string(),
            cause: death.cause,
            advice: death.advice,
        }
    }
}

impl MapTryReport {
    /// Of every row.
    pub fn of(tried: impl Iterator<Item = Tried>) -> Self {
        Self {
            items: tried.map(TriedRow::from).collect(),
        }
    }

    /// Whether a row would be a dead letter.
    pub fn dies(&self) -> bool {
        let mut destinations = self.items.iter().flat_map(|row| row.destinations.values());
        destinations.any(|one| one.dead.is_some())
    }

    /// For people.
    pub fn text(&self) -> String {
        let rows = self.items.iter().map(TriedRow::text);
        rows.collect::<Vec<_>>().join("\n")
    }
}

impl From<Tried> for TriedRow {
    fn from(tried: Tried) -> Self {
        let destinations = tried.destinations.into_iter();
        Self {
            change_id: tried.change_id,
            unmapped: tried.unmapped,
            destinations: destinations
                .map(|(destination, tried)| (destination.as_str(), tried.into()))
                .collect(),
        }
    }
}

impl From<Result<Mapped, Death>> for TriedDestination {
    fn from(tried: Result<Mapped, Death>) -> Self {
        let nothing = Self::default();
        match tried {
            Err(death) => Self {
                dead: Some(death.into()),
                ..nothing
            },
            Ok(Mapped {
                document,
                added: None,
            }) => Self {
                document: Some(document.into()),
                ..nothing
            },
            Ok(Mapped {
                document,
                added: Some(added),
            }) => Self {
                laid_over: Some(document),
                document: added.as_ref().ok().cloned(),
                not_added: added.err().map(TriedDeath::from),
                dead: None,
            },
        }
    }
}

impl TriedRow {
    fn text(&self) -> String {
        let mut text = match &self.change_id {
            Some(id) => format!("change {}\n", one_line(id)),
            None => "a row without a changeId\n".to_owned(),
        };
        for (name, destination) in &self.destinations {
            text += &destination.text(name);
        }
        if !self.unmapped.is_empty() {
            let keys: Vec<String> = self.unmapped.iter().map(|key| one_line(key)).collect();
            text += &format!(
                "  nothing maps {} (name it in [alumniq.fields] to use it)\n",
                keys.join(", ")
            );
        }
        text
    }
}

impl TriedDestination {
    fn text(&self, name: &str) -> String {
        if let Some(death) = &self.dead {
            return format!(
                "  {name} would get nothing: a dead letter of class {}\n    why:    {}\n    advice: {}\n",
                death.class,
                one_line(&death.cause),
                one_line(&death.advice)
            );
        }
        let Some(laid_over) = &self.laid_over else {
            let fields = self.document.as_ref().and_then(Value::as_object);
            return format!(
                "  {name} would get\n{}",
                listed(fields.into_iter().flatten())
            );
        };
        let over = listed(laid_over.iter());
        let mut text = format!("  {name} would get, laid over the supporter that it has\n{over}");
        if let Some(added) = &self.document {
            text += "  and for somebody who has nothing yet\n";
            let pretty = serde_json::to_string_pretty(added).unwrap_or_default();
            for line in pretty.lines() {
                text += &format!("    {line}\n");
            }
        }
        if let Some(why) = &self.not_added {
            text += &format!("  and could not add anybody: {}\n", one_line(&why.cause));
        }
        text
    }
}

/// A line a field; of a text with several lines the rest is set below.
fn listed<'f>(fields: impl Iterator<Item = (&'f String, &'f Value)> + Clone) -> String {
    let width = fields.clone().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for (name, value) in fields {
        let shown = shown(value);
        let mut lines = shown.lines().map(one_line);
        let first = lines.next().unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {name:<width$}  {first}");
        for line in lines {
            let _ = writeln!(text, "    {:<width$}  {line}", "");
        }
    }
    text
}

fn shown(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// `map test --json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct MapTestReport {
    /// How many examples hold.
    pub passed: usize,
    /// How many do not.
    pub failed: usize,
    /// Every example, in the order of the file.
    pub items: Vec<TestedExample>,
    /// What in the mapping does nothing.
    pub lint: Vec<LintWarning>,
}

/// What came of one `[[map.test]]`.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestedExample {
    /// Its name.
    pub name: String,
    /// Whether all is as expected.
    pub passed: bool,
    /// `relay.toml:12:5`, where it fails.
    pub place: Option<String>,
    /// What is not as expected.
    pub differences: Vec<FieldDifference>,
}

/// One field that is not as expected.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldDifference {
    /// Which one.
    pub destination: String,
    /// Absent: the document as a whole.
    pub field: Option<String>,
    /// Absent: the field is not expected.
    #[schema(value_type = Option<Value>)]
    pub expected: Option<Value>,
    /// Absent: the field is not sent.
    #[schema(value_type = Option<Value>)]
    pub got: Option<Value>,
}

/// Something in the mapping that does nothing.
#[derive(Debug, Serialize, ToSchema)]
pub struct LintWarning {
    /// `relay.toml:12:5`; absent where a variable holds it.
    pub place: Option<String>,
    /// What.
    pub message: String,
    /// What a person can do about it.
    pub advice: Option<String>,
}

impl MapTestReport {
    /// Of every example.
    pub fn of(runs: &[ExampleRun<'_>], lint: &[ConfigFinding]) -> Self {
        let items: Vec<TestedExample> = runs.iter().map(TestedExample::of).collect();
        let passed = items.iter().filter(|item| item.passed).count();
        Self {
            passed,
            failed: items.len() - passed,
            items,
            lint: lint.iter().map(LintWarning::of).collect(),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text: String = self.items.iter().map(TestedExample::text).collect();
        text += &match (self.passed, self.failed) {
            (0, 0) => "There are no examples: write some as [[map.test]], see `alumniq-relay config example`.\n".to_owned(),
            (passed, 0) => format!("all {passed} examples hold\n"),
            (passed, failed) => format!("{failed} of {} examples fail\n", passed + failed),
        };
        text
    }
}

impl TestedExample {
    fn of(run: &ExampleRun<'_>) -> Self {
        Self {
            name: run.example.name.clone(),
            passed: run.differences.is_empty(),
            place: run.finding.as_ref().and_then(ConfigFinding::location),
            differences: run.differences.iter().map(FieldDifference::of).collect(),
        }
    }

    fn text(&self) -> String {
        let name = one_line(&self.name);
        if self.passed {
            return format!("ok    {name}\n");
        }
        let place = self.place.as_deref().unwrap_or_default();
        let differences: String = self.differences.iter().map(FieldDifference::text).collect();
        format!("FAIL  {name}  {place}\n{differences}")
    }
}

impl FieldDifference {
    fn of(difference: &ExampleMismatch) -> Self {
        Self {
            destination: difference.destination.to_string(),
            field: difference.field.clone(),
            expected: difference.expected.clone(),
            got: difference.got.clone(),
        }
    }

    fn text(&self) -> String {
        let place = match &self.field {
            Some(field) => format!("{}.{}", self.destination, one_line(field)),
            None => self.destination.clone(),
        };
        // A field's text in quotes and with its line breaks as they are written in JSON: blanks show.
        let side = |value: &Option<Value>, without: &str| match (value, &self.field) {
            (Some(Value::String(words)), None) => one_line(words),
            (Some(value), _) => one_line(&value.to_string()),
            (None, _) => without.to_owned(),
        };
        format!(
            "        {place}\n          - {}\n          + {}\n",
            side(&self.expected, "(not expected)"),
            side(&self.got, "(not sent)")
        )
    }
}

impl LintWarning {
    fn of(finding: &ConfigFinding) -> Self {
        Self {
            place: finding.location(),
            message: finding.message().to_owned(),
            advice: finding.remedy().map(str::to_owned),
        }
    }
}
