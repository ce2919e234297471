//! The filters that templates have besides minijinja's own. Their errors name the rule and never the
//! value.

use std::borrow::Cow;

use minijinja::{Environment, Error, ErrorKind};

use crate::country::{self, CountryCodes};

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
