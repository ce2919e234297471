//! `[[map.test]]`: examples of the mapping, a row and what is expected to be sent of it.

use std::collections::BTreeSet;

use jobs::{
    destination::Destination,
    map_format::map_format,
    mapping::MapFormat,
    outcome::DeadClass,
    trial::{DestinationMappings, Example, ExampleMismatch, Expected, Trial, Tried, differences},
};
use serde_json::{Map, Value};

use super::{
    AnonymousRows, Config, ConfigFinding, Loaded,
    key::{Key, Shape, tables},
    nearest::nearest,
    read::Read,
    reader::Reader,
    section::section,
    setting::Wrong,
    source::ConfigEntry,
};

/// What a table may hold beside what is expected of each destination.
const KEYS: [&str; 3] = ["name", "row", "contains"];

/// The dead letters that a row alone can become.
const CLASSES: [DeadClass; 4] = [
    DeadClass::Undecodable,
    DeadClass::Anonymous,
    DeadClass::Mapping,
    DeadClass::Validation,
];

section! {
    /// What the mapping is expected to do.
    MapConfig at "map" {
        /// Examples that `alumniq-relay map test` and `alumniq-relay check` run: a row as AlumnIQ would send it, and
        /// what is expected of it. `crm` holds the fields of the CRM's document, `salsa` what is laid over the
        /// supporter, by the names of `[salsa.map]`; both are whole, or with `contains = true` only the fields that
        /// are named are compared. Either can be `{ dead = "CLASS" }` instead: undecodable, anonymous, mapping or
        /// validation. A destination that is not named is not compared.
        test: Examples = tables(
            "name = \"a work phone\"\n\
             row = { changeId = 1, xid = \"42\", phone = \"+13605550100\" }\n\
             salsa = { externalSystemId = \"42\", contacts.WORK_PHONE = \"+13605550100\" }",
        ),
    }
}

/// Every example, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examples(pub Vec<Example>);

/// What came of one example.
#[derive(Debug)]
pub struct ExampleRun<'l> {
    /// The example.
    pub example: &'l Example,
    /// What would be sent.
    pub tried: Tried,
    /// What is not as expected; nothing: it passed.
    pub differences: Vec<ExampleMismatch>,
    /// The same at its place in the file: none where it passed.
    pub finding: Option<ConfigFinding>,
}

impl Config {
    /// How rows are read and mapped, to try some.
    pub fn trial<'c>(&'c self, mappings: &'c DestinationMappings) -> Trial<'c> {
        Trial {
            names: &self.mappings.names,
            timezone: &self.alumniq.timezone,
            anonymous_allowed: self.alumniq.anonymous == AnonymousRows::Match,
            mappings,
        }
    }
}

impl Loaded {
    /// Tries every example.
    pub fn run_examples(&self) -> Vec<ExampleRun<'_>> {
        let mappings = self.config.mappings.by_destination();
        let trial = self.config.trial(&mappings);
        let examples = self.config.map.test.0.iter().enumerate();
        examples
            .map(|(at, example)| {
                let tried = trial.of(&example.row);
                let differences = differences(example, &tried);
                ExampleRun {
                    finding: self.failed(at, example, &differences),
                    example,
                    tried,
                    differences,
                }
            })
            .collect()
    }

    /// At the first thing that differs.
    fn failed(
        &self,
        at: usize,
        example: &Example,
        differences: &[ExampleMismatch],
    ) -> Option<ConfigFinding> {
        let first = differences.first()?;
        let whole = format!("map.test[{at}]");
        let destination = format!("{whole}.{}", first.destination);
        let field = first.field.as_ref();
        // Names in groups may be written as tables within tables or as one quoted name: the same path.
        let field = field.map(|field| format!("{destination}.{field}"));
        let has = |path: &String| self.mapping.entries.contains_key(path);
        let path = field.filter(has).unwrap_or(destination);
        let fields: BTreeSet<String> = differences.iter().map(ExampleMismatch::place).collect();
        let fields: Vec<String> = fields.into_iter().collect();
        let mut finding = self.mapping.about(&path, "");
        finding.message = format!(
            "the example {:?} fails: {} not as expected",
            example.name,
            match fields.as_slice() {
                [one] => format!("{one} is"),
                several => format!("{} are", several.join(", ")),
            }
        );
        Some(finding.help("`alumniq-relay map test` shows what is expected and what would be sent"))
    }
}

impl Read for Examples {
    const SHAPE: Shape = Shape::Tables;

    fn read(reader: &mut Reader, key: &'static Key) -> Option<Self> {
        let path = key.path();
        if let Some(entry) = reader.source.entries.get(&path).cloned() {
            let wrong = Wrong::new("must be tables").help(format!("write [[{path}]]"));
            reader.reject(&path, &entry, wrong);
            return None;
        }
        let before = reader.problems.len();
        let mut examples = Vec::new();
        let mut names = BTreeSet::new();
        loop {
            let path = format!("{path}[{}]", examples.len());
            let Some(entry) = reader.source.entries.get(&path).cloned() else {
                break;
            };
            let toml::Value::Table(table) = &entry.value else {
                let wrong = Wrong::new("must be a table").help("write [[map.test]]");
                reader.reject(&path, &entry, wrong);
                return None;
            };
            let place = Place {
                reader,
                path: &path,
                whole: &entry,
            };
            let example = place.example(table);
            if !names.insert(example.name.clone()) && !example.name.is_empty() {
                let path = format!("{path}.name");
                let finding = reader.about(&path, "is the name of another example too");
                reader.problem(finding);
            }
            applies(reader, key, &path, examples.len());
            examples.push(example);
        }
        (reader.problems.len() == before).then_some(Self(examples))
    }
}

/// One `[[map.test]]`.
struct Place<'r> {
    reader: &'r mut Reader,
    path: &'r str,
    whole: &'r ConfigEntry,
}

impl Place<'_> {
    /// What cannot be read is noted and left empty.
    fn example(mut self, table: &toml::Table) -> Example {
        let known: Vec<&str> = keys().collect();
        for name in table.keys().filter(|name| !known.contains(&name.as_str())) {
            let near = nearest(name, keys());
            let near = near.map(|near| format!("did you mean `{near}`?"));
            let help = near.unwrap_or_else(|| format!("it takes {}", known.join(", ")));
            self.wrong(name, Wrong::new("is not a key").help(help));
        }
        let name = match table.get("name") {
            Some(toml::Value::String(name)) if !name.trim().is_empty() => name.clone(),
            Some(_) => {
                self.wrong("name", Wrong::new("must be a text that says what it shows"));
                String::new()
            }
            None => {
                self.missing("a `name`", "name = \"what it shows\"");
                String::new()
            }
        };
        let row = match table.get("row") {
            Some(row @ toml::Value::Table(_)) => json(row),
            Some(_) => {
                let wrong = Wrong::new("must be a table")
                    .help("a row as AlumnIQ sends it, e.g. row = { changeId = 1, xid = \"42\" }");
                self.wrong("row", wrong);
                Value::Null
            }
            None => {
                self.missing("a `row`", "row = { changeId = 1, xid = \"42\" }");
                Value::Null
            }
        };
        let contains = match table.get("contains") {
            None => false,
            Some(toml::Value::Boolean(flag)) => *flag,
            Some(_) => {
                self.wrong("contains", Wrong::new("must be true or false"));
                false
            }
        };
        if !Destination::ALL
            .iter()
            .any(|at| table.contains_key(at.as_str()))
        {
            let tables = Destination::ALL.map(|at| format!("{at} = {{ … }}"));
            self.missing("what is expected", &tables.join(" or "));
        }
        Example {
            name,
            row,
            contains,
            expected: Destination::ALL
                .into_iter()
                .filter_map(|at| Some((at, self.expected(table, at)?)))
                .collect(),
        }
    }

    fn expected(&mut self, table: &toml::Table, destination: Destination) -> Option<Expected> {
        let key = destination.as_str();
        let value = table.get(key)?;
        let toml::Value::Table(fields) = value else {
            let wrong = Wrong::new("must be a table")
                .help("the fields that are expected, or { dead = \"validation\" }");
            self.wrong(key, wrong);
            return None;
        };
        if let Some(dead) = fields.get("dead") {
            return self.dead(key, dead, fields.len());
        }
        let mut expected = Map::new();
        let format = map_format(destination);
        for (name, value) in flat(fields, format) {
            match (format.target)(&name) {
                Ok(known) => {
                    expected.insert(known, as_sent(value, format));
                }
                Err(error) => {
                    let wrong = Wrong::new(format!("is wrong: {}", error.cause)).help(error.advice);
                    self.wrong(&format!("{key}.{name}"), wrong);
                }
            }
        }
        Some(Expected::Fields(expected))
    }

    fn dead(&mut self, key: &str, dead: &toml::Value, entries: usize) -> Option<Expected> {
        let classes = CLASSES.map(DeadClass::as_str);
        let class = CLASSES
            .into_iter()
            .find(|class| dead.as_str() == Some(class.as_str()));
        let path = format!("{key}.dead");
        if class.is_none() {
            let wrong = Wrong::new(format!("must be one of {}", classes.join(", ")))
                .help("the other classes of dead letters come from what a vendor answers");
            self.wrong(&path, wrong);
        } else if entries > 1 {
            let wrong = Wrong::new("stands beside fields")
                .help("a row that is a dead letter sends nothing: keep one of the two");
            self.wrong(&path, wrong);
        }
        class.map(Expected::Dead)
    }

    fn wrong(&mut self, name: &str, wrong: Wrong) {
        let path = format!("{}.{name}", self.path);
        let finding = ConfigFinding {
            help: wrong.help,
            ..self.reader.about(&path, &wrong.rule)
        };
        self.reader.problem(finding);
    }

    fn missing(&mut self, what: &str, example: &str) {
        let finding = self
            .reader
            .finding(self.path, self.whole, &format!("lacks {what}"))
            .help(format!("add e.g. `{example}`"));
        self.reader.problem(finding);
    }
}

/// The fields by the names of the destination's map.
fn flat<'f>(fields: &'f toml::Table, format: &MapFormat) -> Vec<(String, &'f toml::Value)> {
    let mut flat = Vec::new();
    for (name, value) in fields {
        match value {
            toml::Value::Table(inner) if format.has_groups => {
                flat.extend(
                    inner
                        .iter()
                        .map(|(field, value)| (format!("{name}.{field}"), value)),
                );
            }
            _ => flat.push((name.clone(), value)),
        }
    }
    flat
}

fn as_sent(value: &toml::Value, format: &MapFormat) -> Value {
    match json(value) {
        scalar @ (Value::Number(_) | Value::Bool(_)) if format.is_text => {
            Value::from(scalar.to_string())
        }
        value => value,
    }
}

fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(flag) => Value::from(*flag),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Table(table) => {
            let entries = table
                .iter()
                .map(|(name, value)| (name.clone(), json(value)));
            Value::Object(entries.collect())
        }
    }
}

/// Everything that a table may hold.
fn keys() -> impl Iterator<Item = &'static str> {
    let destinations = Destination::ALL.into_iter().map(Destination::as_str);
    KEYS.into_iter().chain(destinations)
}

/// For `config print`.
fn applies(reader: &mut Reader, key: &'static Key, path: &str, at: usize) {
    for name in keys() {
        if let Some(entry) = reader
            .source
            .entries
            .get(&format!("{path}.{name}"))
            .cloned()
        {
            let place = (Some(key.name), Some(at));
            reader.applies(key, place, name, entry.value, &entry.origin);
        }
    }
}
