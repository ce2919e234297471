//! The people that changes are about.

use super::words::{GIVEN_NAMES, PLACES, Place, SURNAMES};
use crate::seeded::Seeded;

/// One constituent, as both destinations know them. Nobody real: addresses at example.org, phones
/// from the blocks reserved for fiction.
#[derive(Debug, Clone)]
pub(crate) struct Constituent {
    pub(crate) xid: String,
    pub(crate) given_name: &'static str,
    pub(crate) surname: &'static str,
    /// The primary email. No change alters it.
    pub(crate) email: String,
    pub(crate) mobile: String,
    /// Whether they opted out of Salsa's emails.
    pub(crate) opted_out: bool,
    /// Whether Salsa has an address of them.
    pub(crate) has_address: bool,
}

/// Where a person is missing until the repair.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gaps {
    pub(crate) crm: bool,
    pub(crate) salsa: bool,
}

impl Constituent {
    pub(super) fn new(index: usize, rng: &mut Seeded) -> Self {
        let number = 100_003 + index * 7;
        let xid = match rng.below(20) {
            0..14 => number.to_string(),
            14..17 => format!("A{number:08}"),
            17..19 => format!("00{number}"),
            _ => format!("u-{number}"),
        };
        let host = if rng.chance(0.05) {
            "Example.ORG"
        } else {
            "example.org"
        };
        Self {
            given_name: *rng.pick::<&str>(GIVEN_NAMES),
            surname: *rng.pick::<&str>(SURNAMES),
            email: format!("alum.{number}@{host}"),
            mobile: phone(rng.pick(PLACES), rng),
            opted_out: rng.chance(0.1),
            has_address: rng.chance(0.5),
            xid,
        }
    }

    /// Somebody whom neither destination knows.
    pub(super) fn stranger(xid: &str) -> Self {
        Self {
            xid: xid.to_owned(),
            given_name: "Unknown",
            surname: "Stranger",
            email: "stranger@example.net".to_owned(),
            mobile: String::new(),
            opted_out: false,
            has_address: false,
        }
    }
}

/// An E.164 number of the place's block for fiction.
pub(super) fn phone(place: &Place, rng: &mut Seeded) -> String {
    let (prefix, digits) = place.phone;
    let end = (0..digits).fold(String::new(), |end, _| end + &rng.below(10).to_string());
    format!("{prefix}{end}")
}
