//! Countries in their ISO 3166-1 forms. AlumnIQ promises alpha-2; the CRM was seen to use alpha-3.

use std::{collections::HashMap, str::FromStr, sync::LazyLock};

use rust_iso3166::{ALL, CountryCode};
use serde::{Deserialize, Serialize};

/// A way to write a country. The wire name is the lower-case word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CountryCodes {
    /// Two letters, e.g. `US`.
    Alpha2,
    /// Three letters, e.g. `USA`.
    Alpha3,
    /// The English short name of ISO 3166, e.g. `United States of America`.
    Name,
}

/// A word that is no way to write a country.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown country form `{0}`: use alpha2, alpha3 or name")]
pub struct UnknownCodes(String);

impl FromStr for CountryCodes {
    type Err = UnknownCodes;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "alpha2" => Ok(Self::Alpha2),
            "alpha3" => Ok(Self::Alpha3),
            "name" => Ok(Self::Name),
            _ => Err(UnknownCodes(word.to_owned())),
        }
    }
}

/// What people write where ISO's short name is stiff.
const USUAL_NAMES: [(&str, &str); 28] = [
    ("bolivia", "BO"),
    ("brunei", "BN"),
    ("cape verde", "CV"),
    ("czech republic", "CZ"),
    ("democratic republic of the congo", "CD"),
    ("england", "GB"),
    ("great britain", "GB"),
    ("iran", "IR"),
    ("ivory coast", "CI"),
    ("laos", "LA"),
    ("macau", "MO"),
    ("moldova", "MD"),
    ("netherlands", "NL"),
    ("north korea", "KP"),
    ("northern ireland", "GB"),
    ("palestine", "PS"),
    ("russia", "RU"),
    ("scotland", "GB"),
    ("south korea", "KR"),
    ("swaziland", "SZ"),
    ("syria", "SY"),
    ("taiwan", "TW"),
    ("tanzania", "TZ"),
    ("turkey", "TR"),
    ("united kingdom", "GB"),
    ("united states", "US"),
    ("venezuela", "VE"),
    ("vietnam", "VN"),
];

/// Upper-case alpha-2, alpha-3 and name -> country.
static BY_ANY_FORM: LazyLock<HashMap<String, &'static CountryCode>> = LazyLock::new(|| {
    let forms = ALL.iter().flat_map(|country| {
        [country.alpha2, country.alpha3, country.name].map(|form| (form.to_uppercase(), country))
    });
    let usual = USUAL_NAMES.iter().filter_map(|(name, alpha2)| {
        let country = ALL.iter().find(|country| country.alpha2 == *alpha2)?;
        Some((name.to_uppercase(), country))
    });
    forms.chain(usual).collect()
});

/// The country that `input` names (alpha-2, alpha-3, ISO's or the usual English name, in any case),
/// written as `to`. `None` when ISO 3166 knows no such country.
pub fn convert(input: &str, to: CountryCodes) -> Option<&'static str> {
    const LONGEST_NAME: usize = 100;
    let input = input.trim();
    if input.len() > LONGEST_NAME {
        return None;
    }
    let country = BY_ANY_FORM.get(&input.to_uppercase())?;
    Some(match to {
        CountryCodes::Alpha2 => country.alpha2,
        CountryCodes::Alpha3 => country.alpha3,
        CountryCodes::Name => country.name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_converts_from_every_form_to_every_form() {
        for country in ALL {
            for form in [country.alpha2, country.alpha3, country.name] {
                for form in [
                    form.to_owned(),
                    form.to_lowercase(),
                    format!(" {} ", form.to_uppercase()),
                ] {
                    assert_eq!(
                        convert(&form, CountryCodes::Alpha2),
                        Some(country.alpha2),
                        "{form}"
                    );
                    assert_eq!(convert(&form, CountryCodes::Alpha3), Some(country.alpha3));
                    assert_eq!(convert(&form, CountryCodes::Name), Some(country.name));
                }
            }
        }
    }

    #[test]
    fn usual_names_are_understood() {
        for (name, alpha2) in USUAL_NAMES {
            assert_eq!(convert(name, CountryCodes::Alpha2), Some(alpha2), "{name}");
        }
    }

    #[test]
    fn what_is_no_country_converts_to_nothing() {
        for input in ["", "ZZ", "Atlantis", "\u{0}", &"x".repeat(1_000_000)] {
            assert_eq!(convert(input, CountryCodes::Alpha3), None);
        }
    }
}
