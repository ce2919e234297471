//! Words that rows are made of: every trap of text that a real school's data holds, and nobody real.

/// A place with what its rows and phones look like.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) stateiso: &'static str,
    pub(super) postal_code: &'static str,
    pub(super) country: &'static str,
    pub(super) countryiso: &'static str,
    /// E.164 up to a block that its country reserves for fiction, and how many digits follow.
    pub(super) phone: (&'static str, usize),
}

macro_rules! places {
    ($($city:literal, $state:literal, $stateiso:literal, $postal_code:literal, $country:literal, $countryiso:literal, $prefix:literal, $digits:literal;)*) => {
        &[$(Place {
            city: $city, state: $state, stateiso: $stateiso, postal_code: $postal_code,
            country: $country, countryiso: $countryiso, phone: ($prefix, $digits),
        }),*]
    };
}

pub(super) const PLACES: &[Place] = places! {
    "Bellingham", "Washington", "WA", "98225", "United States", "US", "+136055501", 2;
    "Boston", "Massachusetts", "MA", "02139", "United States", "US", "+161755501", 2;
    "St. Louis", "Missouri", "MO", "63101", "United States", "US", "+131455501", 2;
    "Coeur d'Alene", "Idaho", "ID", "83814", "United States", "US", "+120855501", 2;
    "New York", "New York", "NY", "10001", "United States", "US", "+121255501", 2;
    "Chicago", "Illinois", "IL", "60601-1234", "United States", "US", "+177355501", 2;
    "Montréal", "Quebec", "QC", "H2X 1Y4", "Canada", "CA", "+151455501", 2;
    "Toronto", "Ontario", "ON", "M5V 2T6", "Canada", "CA", "+141655501", 2;
    "London", "", "", "EC1A 1BB", "United Kingdom", "GB", "+4420794600", 2;
    "Leeds", "", "", "LS1 4AP", "United Kingdom", "GB", "+4411349600", 2;
    "Sydney", "New South Wales", "", "2000", "Australia", "AU", "+6125550", 4;
    "Melbourne", "Victoria", "", "3000", "Australia", "AU", "+6135550", 4;
};

pub(super) const EMPLOYERS: &[&str] = &[
    "Northwind Example Traders",
    "Müller & Söhne Beispiel GmbH",
    "O'Sample \"Best\" Bakery, Inc.",
    "株式会社サンプル",
    "ACME 🚀 Labs",
    "Crème Brûlée Exemple, LLC",
    "  Blank Padded Example Co  ",
    "Пример и партнёры",
    "شركة المثال",
    "Smith-Example, Jones-Example & Partners",
    "Back\\slash {Braces} 100% Example",
    "<b>Example</b> Hospital; Dept. of \"Quotes\"",
    "12345",
    "Zürich\u{a0}Example\u{200b}Works",
    "👩‍💻 Women Who Sample",
    "N/A",
    "",
];

pub(super) const TITLES: &[&str] = &[
    "Director",
    "Vice President, Advancement",
    "Ingénieure",
    "Software Engineer II",
    "Professor \"Emeritus\"",
    "Geschäftsführer",
    "R&D Lead",
    "研究員",
    "Owner/Operator",
    "Teacher (5th grade)",
];

pub(super) const STREETS: &[&str] = &[
    "1 Example Plaza",
    "221 Sample St. #4",
    "Beispielstraße 12",
    "10, rue de l'Exemple",
    "P.O. Box 555",
    "见本路 88号",
];

pub(super) const SECOND_LINES: &[&str] = &["", "", "", "Suite 200", "c/o \"Front Desk\"", " "];

pub(super) const GIVEN_NAMES: &[&str] = &[
    "Ada", "Björn", "Chloé", "Dmitri", "Ewa", "Fatima", "Gïorgos", "Hana", "Iñigo", "José",
    "Kenji", "Łukasz", "Mei", "Nnamdi", "Óscar", "Priya", "Quinn", "Renée", "Søren", "Ülkü",
];

pub(super) const SURNAMES: &[&str] = &[
    "Sampleson",
    "O'Example",
    "Testé",
    "de la Muestra",
    "Beispiel",
    "Przykład",
    "Esempio",
    "Exempel",
    "Voorbeeld",
    "Näyte",
    "Örnek",
    "Specimen-Doe",
    "Mustermann",
    "Ejemplo",
    "Príklad",
];
