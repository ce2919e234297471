//! The filters that templates have besides minijinja's own. Their errors name the rule and never the
//! value.

use std::borrow::Cow;

use minijinja::{Environment, Error, ErrorKind, Value};

use super::MAX_OUTPUT;
use crate::country::{self, CountryCodes};

/// Filters of minijinja that take a size and use that much memory for it.
const WITHOUT_LIMIT: [&str; 4] = ["batch", "format", "indent", "slice"];

/// What a filter says; carried as the source of minijinja's error.
#[derive(Debug, thiserror::Error)]
pub(super) enum Complaint {
    /// The row's value breaks the rule.
    #[error("{0}")]
    Value(&'static str),
    /// The template uses the filter wrongly.
    #[error("{0}")]
    Misuse(String),
}

impl From<Complaint> for Error {
    fn from(complaint: Complaint) -> Self {
        Self::from(ErrorKind::InvalidOperation).with_source(complaint)
    }
}

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("country", country);
    environment.add_filter("digits", digits);
    environment.add_filter("replace", replace);
    environment.add_filter("join", join);
    for name in WITHOUT_LIMIT {
        environment.remove_filter(name);
    }
}

/// As minijinja's; its own would make 4 GB of two fields of 64 KB.
fn replace(value: Cow<'_, str>, from: Cow<'_, str>, to: Cow<'_, str>) -> Result<String, Error> {
    let longer = to.len().saturating_sub(from.len());
    bounded(value.len() + value.matches(&*from).count().saturating_mul(longer))?;
    Ok(value.replace(&*from, &to))
}

/// As minijinja's, without its `attribute`: fields are texts.
fn join(value: Value, between: Option<Cow<'_, str>>) -> Result<String, Error> {
    let mut joined = String::new();
    if value.is_undefined() {
        return Ok(joined);
    }
    for (at, item) in value.try_iter()?.enumerate() {
        if at > 0 {
            joined.push_str(between.as_deref().unwrap_or_default());
        }
        joined.push_str(item.as_str().unwrap_or(&item.to_string()));
        bounded(joined.len())?;
    }
    Ok(joined)
}

fn bounded(bytes: usize) -> Result<(), Error> {
    match bytes {
        ..=MAX_OUTPUT => Ok(()),
        _ => Err(Complaint::Value("grows to more than 65536 bytes on the way").into()),
    }
}

fn country(value: Cow<'_, str>, codes: Cow<'_, str>) -> Result<&'static str, Error> {
    let codes: CountryCodes = codes.parse().map_err(|unknown: country::UnknownCodes| {
        Complaint::Misuse(format!("filter `country`: {unknown}"))
    })?;
    if value.trim().is_empty() {
        return Ok("");
    }
    let unknown = Complaint::Value("is no country that ISO 3166 knows by code or English name");
    Ok(country::convert(&value, codes).ok_or(unknown)?)
}

fn digits(value: Cow<'_, str>) -> String {
    value.chars().filter(char::is_ascii_digit).collect()
}
