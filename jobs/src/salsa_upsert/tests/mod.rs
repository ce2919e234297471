//! A change's whole way through this module, and hostile answers.

mod hostile;
mod mapping;
mod merge;
mod supporter;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{SalsaMapping, Supporter, SupporterPatch};
use crate::{
    change::{Change, FieldNames, decode},
    mapping::MapValue,
    outcome::{DeadClass, Outcome},
};

/// The class and cause of a dead letter.
fn dead<T: std::fmt::Debug>(result: Result<T, Outcome>) -> (DeadClass, String) {
    match result.unwrap_err() {
        Outcome::Dead { class, cause, .. } => (class, cause),
        other => panic!("{other:?}"),
    }
}

fn change(row: &Value) -> Change {
    decode(row, &FieldNames::default(), &jiff::tz::TimeZone::UTC).unwrap()
}

fn overrides(map: &[(&str, &str)]) -> BTreeMap<String, MapValue> {
    map.iter()
        .map(|(target, source)| ((*target).into(), MapValue::Template((*source).into())))
        .collect()
}

fn mapping(map: &[(&str, &str)]) -> SalsaMapping {
    SalsaMapping::compile(&overrides(map), &FieldNames::default()).unwrap()
}

fn patch(map: &[(&str, &str)], row: &Value) -> SupporterPatch {
    mapping(map).patch(&change(row), true).unwrap()
}

fn supporter(record: &Value) -> Supporter {
    Supporter::read(record).unwrap()
}
