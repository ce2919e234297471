//! Countries in their ISO 3166-1 forms. AlumnIQ promises alpha-2; the CRM was seen to use alpha-3.

use std::{collections::HashMap, str::FromStr, sync::LazyLock};

use rust_iso3166::ALL;
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

/// Alpha-2, alpha-3 and name.
type Country = [&'static str; 3];

/// In common use, and not (yet) in ISO 3166, which leaves these codes to their users.
const KOSOVO: Country = ["XK", "XKX", "Kosovo"];

/// What people and other systems write where neither ISO's codes nor its names say so, see [`folded`] and [`names`].
const USUAL_NAMES: [(&str, &str); 56] = [
    ("america", "US"),
    ("bosnia", "BA"),
    ("bosnia herzegovina", "BA"),
    ("britain", "GB"),
    ("brunei", "BN"),
    ("burma", "MM"),
    ("cape verde", "CV"),
    ("congo brazzaville", "CG"),
    ("congo kinshasa", "CD"),
    ("czech republic", "CZ"),
    ("dr congo", "CD"),
    ("drc", "CD"),
    ("east timor", "TL"),
    ("eire", "IE"),
    // Of the European Union.
    ("el", "GR"),
    ("england", "GB"),
    ("fyrom", "MK"),
    ("great britain", "GB"),
    ("holland", "NL"),
    ("holy see vatican city state", "VA"),
    ("hong kong sar", "HK"),
    ("ivory coast", "CI"),
    ("kyrgyz republic", "KG"),
    ("lao pdr", "LA"),
    ("laos", "LA"),
    ("libyan arab jamahiriya", "LY"),
    ("macao sar", "MO"),
    ("macau", "MO"),
    ("macau sar", "MO"),
    ("macedonia", "MK"),
    ("macedonia former yugoslav republic of", "MK"),
    ("north korea", "KP"),
    ("northern ireland", "GB"),
    ("palestinian territories", "PS"),
    ("palestinian territory", "PS"),
    ("palestinian territory occupied", "PS"),
    ("people's republic of china", "CN"),
    ("pitcairn islands", "PN"),
    ("republic of ireland", "IE"),
    ("russia", "RU"),
    ("saint helena", "SH"),
    ("scotland", "GB"),
    ("slovak republic", "SK"),
    ("south korea", "KR"),
    ("swaziland", "SZ"),
    ("syria", "SY"),
    ("turkey", "TR"),
    ("uae", "AE"),
    ("uk", "GB"),
    ("united kingdom", "GB"),
    ("united states", "US"),
    ("vatican", "VA"),
    ("vatican city", "VA"),
    ("vatican city state", "VA"),
    ("vietnam", "VN"),
    ("wales", "GB"),
];

/// Codes, names and usual names, [`folded`].
static BY_ANY_FORM: LazyLock<HashMap<String, Country>> = LazyLock::new(|| {
    let iso = ALL
        .iter()
        .map(|country| [country.alpha2, country.alpha3, country.name]);
    let countries: Vec<Country> = iso.chain([KOSOVO]).collect();
    let mut forms = HashMap::new();
    // What is exact counts more than what is derived: Congo is a country, and part of another's name.
    for country in &countries {
        forms.extend(country.map(|form| (folded(form), *country)));
    }
    for (name, alpha2) in USUAL_NAMES {
        if let Some(country) = countries.iter().find(|country| country[0] == alpha2) {
            forms.entry(folded(name)).or_insert(*country);
        }
    }
    let mut derived: HashMap<String, Vec<Country>> = HashMap::new();
    for country in countries {
        for name in names(country[2]) {
            derived.entry(folded(&name)).or_default().push(country);
        }
    }
    for (name, countries) in derived {
        // There are two Koreas.
        if let [country] = countries[..] {
            forms.entry(name).or_insert(country);
        }
    }
    forms
});

/// Other orders of a name of ISO's with an addition: `Korea (Republic of)` is also `Republic of Korea`, and `Bolivia
/// (Plurinational State of)` just `Bolivia`.
fn names(name: &str) -> Vec<String> {
    let split = name
        .strip_suffix(')')
        .and_then(|name| name.split_once(" ("));
    split.map_or_else(Vec::new, |(short, addition)| {
        vec![format!("{addition} {short}"), short.to_owned()]
    })
}

/// In capital letters without accents, articles and punctuation: `Côte d’Ivoire` is `COTE DIVOIRE`, `Korea, Republic of`
/// is `KOREA REPUBLIC OF`, `St. Lucia` is `SAINT LUCIA`.
fn folded(name: &str) -> String {
    let plain = name
        .to_uppercase()
        .chars()
        .filter_map(plain)
        .collect::<String>();
    let words = plain.split_whitespace().filter(|word| *word != "THE");
    let words = words.map(|word| match word {
        "ST" => "SAINT",
        "&" => "AND",
        word => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn plain(c: char) -> Option<char> {
    Some(match c {
        '.' | '\'' | '\u{2019}' => return None,
        ',' | '-' | '(' | ')' => ' ',
        'Å' => 'A',
        'Ç' => 'C',
        'É' => 'E',
        'Ã' => 'A',
        'Ô' => 'O',
        'Ü' => 'U',
        other => other,
    })
}

/// The country that `input` names (alpha-2, alpha-3, ISO's or a usual English name, in any case), written as `to`.
/// `None` when there is no such country.
pub fn convert(input: &str, to: CountryCodes) -> Option<&'static str> {
    const LONGEST_NAME: usize = 100;
    if input.trim().len() > LONGEST_NAME {
        return None;
    }
    let [alpha2, alpha3, name] = *BY_ANY_FORM.get(&folded(input))?;
    Some(match to {
        CountryCodes::Alpha2 => alpha2,
        CountryCodes::Alpha3 => alpha3,
        CountryCodes::Name => name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_names_two_countries() {
        let exact = ALL
            .iter()
            .flat_map(|c| [c.alpha2, c.alpha3, c.name].map(|f| (f, c.alpha2)));
        for (form, alpha2) in exact.chain(USUAL_NAMES) {
            assert_eq!(convert(form, CountryCodes::Alpha2), Some(alpha2), "{form}");
        }
    }

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
    fn what_a_schools_list_usually_has_is_understood() {
        for (name, alpha2) in [
            ("XK", "XK"),
            ("xkx", "XK"),
            ("Kosovo", "XK"),
            ("UK", "GB"),
            ("U.K.", "GB"),
            ("EL", "GR"),
            ("U.S.", "US"),
            ("U.S.A.", "US"),
            ("USA", "US"),
            ("The United States of America", "US"),
            ("Korea, Republic of", "KR"),
            ("Republic of Korea", "KR"),
            ("Korea, Democratic People's Republic of", "KP"),
            ("Democratic People\u{2019}s Republic of Korea", "KP"),
            ("Congo", "CG"),
            ("Congo, Democratic Republic of the", "CD"),
            ("Congo, The Democratic Republic of the", "CD"),
            ("Democratic Republic of the Congo", "CD"),
            ("Iran, Islamic Republic of", "IR"),
            ("Iran", "IR"),
            ("Bolivia", "BO"),
            ("Moldova, Republic of", "MD"),
            ("Tanzania, United Republic of", "TZ"),
            ("Tanzania", "TZ"),
            ("Venezuela", "VE"),
            ("Taiwan", "TW"),
            ("Taiwan, Province of China", "TW"),
            ("Netherlands", "NL"),
            ("The Netherlands", "NL"),
            ("Palestine", "PS"),
            ("Micronesia, Federated States of", "FM"),
            ("Bahamas, The", "BS"),
            ("The Gambia", "GM"),
            ("Cote d'Ivoire", "CI"),
            ("C\u{f4}te d\u{2019}Ivoire", "CI"),
            ("Curacao", "CW"),
            ("Reunion", "RE"),
            ("Turkiye", "TR"),
            ("Viet Nam", "VN"),
            ("Vatican City", "VA"),
            ("Holy See (Vatican City State)", "VA"),
            ("Burma", "MM"),
            ("Macedonia", "MK"),
            ("St. Lucia", "LC"),
            ("St Kitts & Nevis", "KN"),
            ("Trinidad & Tobago", "TT"),
            ("Bosnia and Herzegovina", "BA"),
            ("Guinea Bissau", "GW"),
            ("U.S. Virgin Islands", "VI"),
            ("Virgin Islands, British", "VG"),
            ("Falkland Islands", "FK"),
            ("Russia", "RU"),
            ("Czech Republic", "CZ"),
        ] {
            assert_eq!(convert(name, CountryCodes::Alpha2), Some(alpha2), "{name}");
        }
    }

    #[test]
    fn what_is_no_country_converts_to_nothing() {
        // Two countries each have a claim to the last three.
        for input in [
            "",
            "ZZ",
            "false",
            "Korea",
            "Virgin Islands",
            "(",
            "Atlantis",
            "\u{0}",
            &"x".repeat(1_000_000),
        ] {
            assert_eq!(convert(input, CountryCodes::Alpha3), None);
        }
    }
}
