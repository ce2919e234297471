//! `[[map.test]]`: a row, and what is expected to be sent of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Death, Tried};
use crate::{destination::Destination, outcome::DeadClass};

/// A row, and what is expected of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// What it shows, in the operator's words.
    pub name: String,
    /// The row as AlumnIQ would send it.
    pub row: Value,
    /// Whether only the fields that are named are compared; otherwise the documents are whole.
    pub contains: bool,
    /// At each destination, by the names of its map.
    pub expected: BTreeMap<Destination, Expected>,
}

/// What is expected at one destination.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// These fields are sent.
    Fields(Map<String, Value>),
    /// The row is a dead letter.
    Dead(DeadClass),
}

/// One thing that is not as expected. It shows values: the rows of examples are the operator's own.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleMismatch {
    /// Where.
    pub destination: Destination,
    /// The field; `None`: the document as a whole.
    pub field: Option<String>,
    /// `None`: the field is not expected.
    pub expected: Option<Value>,
    /// `None`: the field is not sent.
    pub got: Option<Value>,
}

impl ExampleMismatch {
    /// Where, in words: `crm.PhoneWork`, or the destination alone.
    pub fn place(&self) -> String {
        match &self.field {
            Some(field) => format!("{}.{field}", self.destination),
            None => self.destination.to_string(),
        }
    }
}

/// What differs from `example`, field by field. A destination that is switched off is not compared.
pub fn differences(example: &Example, tried: &Tried) -> Vec<ExampleMismatch> {
    let mut differences = Vec::new();
    for (destination, expected) in &example.expected {
        if let Some(got) = tried.destinations.get(destination) {
            let got = got.as_ref().map(|mapped| &mapped.document);
            compare(
                *destination,
                expected,
                got,
                example.contains,
                &mut differences,
            );
        }
    }
    differences
}

fn compare(
    destination: Destination,
    expected: &Expected,
    got: Result<&Map<String, Value>, &Death>,
    contains: bool,
    differences: &mut Vec<ExampleMismatch>,
) {
    let mut differs = |field: Option<&str>, expected: Option<Value>, got: Option<Value>| {
        differences.push(ExampleMismatch {
            destination,
            field: field.map(str::to_owned),
            expected,
            got,
        });
    };
    match (expected, got) {
        (Expected::Dead(class), Err(death)) if *class == death.class => {}
        (Expected::Fields(fields), Ok(sent)) => {
            for (name, expected) in fields {
                let got = sent.get(name);
                if got != Some(expected) {
                    differs(Some(name), Some(expected.clone()), got.cloned());
                }
            }
            let unexpected = sent.iter().filter(|(name, _)| !fields.contains_key(*name));
            for (name, value) in unexpected.filter(|_| !contains) {
                differs(Some(name), None, Some(value.clone()));
            }
        }
        (expected, got) => {
            let expected = match expected {
                Expected::Dead(class) => dead(*class, None),
                Expected::Fields(_) => Value::from("a document"),
            };
            let got = match got {
                Ok(_) => Value::from("a document"),
                Err(death) => dead(death.class, Some(&death.cause)),
            };
            differs(None, Some(expected), Some(got));
        }
    }
}

fn dead(class: DeadClass, cause: Option<&str>) -> Value {
    let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
    Value::from(format!("a dead letter of class {class}{cause}"))
}
