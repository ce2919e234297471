//! The document that is sent: checked against the schema, or not made at all.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::schema::{CONTACT, CRM_NUMBER, DtoField, DtoType};
use crate::{
    country::{self, CountryCodes},
    formats::{is_e164, is_email, is_iso_date},
    mapping::nearest,
    problem::RuleViolation,
};

/// A valid `ContactUpsertDto`. Fields that a change does not carry are absent, which leaves them
/// unchanged in the CRM. Its `Debug` output names fields and shows none of their values.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ContactUpsertDto(Map<String, Value>);

impl ContactUpsertDto {
    /// Checks `fields` (by the vendor's names, in any case) against every documented rule and writes
    /// countries as `codes`. Numbers, booleans and dates may be given as text; `null` and `""` are
    /// absent.
    ///
    /// # Errors
    /// All that is wrong, a problem a field.
    pub fn from_fields(
        fields: Map<String, Value>,
        codes: CountryCodes,
    ) -> Result<Self, Vec<RuleViolation>> {
        let mut problems = Vec::new();
        let checked = object(CONTACT, "", fields, codes, &mut problems);
        if problems.is_empty() {
            Ok(Self(checked))
        } else {
            Err(problems)
        }
    }

    /// The fields that the document carries, in the vendor's order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether the CRM has anything but the institution's id to find the contact by: its own number,
    /// an email address or a phone.
    pub(super) fn can_be_matched(&self) -> bool {
        CONTACT
            .iter()
            .filter(|field| {
                matches!(field.kind, DtoType::Email | DtoType::Phone) || field.name == CRM_NUMBER
            })
            .any(|field| self.0.contains_key(field.name))
    }
}

impl fmt::Debug for ContactUpsertDto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ContactUpsertDto")
            .field(&self.0.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// The checked fields in the schema's order; `path` is what stands before their names in problems.
fn object(
    schema: &'static [DtoField],
    path: &str,
    given: Map<String, Value>,
    codes: CountryCodes,
    problems: &mut Vec<RuleViolation>,
) -> Map<String, Value> {
    let mut slots: Vec<Option<Value>> = vec![None; schema.len()];
    for (name, value) in given {
        let Some(at) = schema
            .iter()
            .position(|field| field.name.eq_ignore_ascii_case(&name))
        else {
            problems.push(RuleViolation::new(
                format!("{path}{name}"),
                unknown(schema, &name),
            ));
            continue;
        };
        slots[at] = Some(value);
    }
    let mut checked = Map::new();
    for (field, value) in schema.iter().zip(slots) {
        let Some(value) = value.filter(|value| !is_absent(value)) else {
            continue;
        };
        let path = format!("{path}{}", field.name);
        if let Some(value) = value_of(field.kind, &path, value, codes, problems) {
            checked.insert(field.name.to_owned(), value);
        }
    }
    checked
}

fn value_of(
    kind: DtoType,
    path: &str,
    value: Value,
    codes: CountryCodes,
    problems: &mut Vec<RuleViolation>,
) -> Option<Value> {
    let DtoType::Items { fields, most } = kind else {
        return scalar(kind, value, codes)
            .map_err(|rule| problems.push(RuleViolation::new(path, rule)))
            .ok();
    };
    let Value::Array(items) = value else {
        problems.push(RuleViolation::new(path, "is not a list of items"));
        return None;
    };
    if let Some(most) = most.filter(|most| items.len() > *most) {
        problems.push(RuleViolation::new(
            path,
            format!("has {} items, at most {most} are allowed", items.len()),
        ));
        return None;
    }
    let mut checked = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        match item {
            Value::Object(item) => checked.push(Value::Object(object(
                fields,
                &format!("{path}[{at}]."),
                item,
                codes,
                problems,
            ))),
            _ => problems.push(RuleViolation::new(
                format!("{path}[{at}]"),
                "is not an object",
            )),
        }
    }
    Some(Value::Array(checked))
}

/// One value as the CRM wants it, or the rule that it breaks.
pub(super) fn scalar(
    kind: DtoType,
    value: Value,
    codes: CountryCodes,
) -> Result<Value, &'static str> {
    let is_number = value.is_number();
    let text = match value {
        Value::Bool(_) if matches!(kind, DtoType::Boolean) => return Ok(value),
        Value::Number(_) if matches!(kind, DtoType::Integer) && value.is_i64() => return Ok(value),
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return Err("is not of the field's type"),
    };
    let ok = |valid: bool, rule| {
        if valid {
            Ok(Value::String(text.clone()))
        } else {
            Err(rule)
        }
    };
    match kind {
        DtoType::Integer => text
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| "is not a whole number"),
        DtoType::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" if !is_number => Ok(Value::Bool(true)),
            "false" if !is_number => Ok(Value::Bool(false)),
            _ => Err("is neither true nor false"),
        },
        DtoType::Country => match country::convert(&text, codes) {
            Some(country) => Ok(Value::from(country)),
            None => Err("is no country that ISO 3166 knows by code or English name"),
        },
        DtoType::Text => ok(true, ""),
        DtoType::Date => ok(
            is_iso_date(&text),
            "is no ISO 8601 date (YYYY-MM-DD, with or without a time)",
        ),
        DtoType::Gender => ok(
            matches!(text.as_str(), "M" | "F" | "X" | "N"),
            "is not one of M, F, X, N",
        ),
        DtoType::Email => ok(is_email(&text), "is no valid email address"),
        DtoType::Phone => ok(
            is_e164(&text),
            "is no E.164 phone number (+ and 7 to 15 digits)",
        ),
        DtoType::Items { .. } => Err("is not a list of items"),
    }
}

fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn unknown(schema: &'static [DtoField], name: &str) -> String {
    match nearest(name, schema.iter().map(|field| field.name)) {
        Some(near) => format!("is no field of the CRM; did you mean `{near}`?"),
        None => "is no field of the CRM".to_owned(),
    }
}
