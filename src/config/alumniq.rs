//! `[alumniq]`: where changes come from.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use jiff::tz::TimeZone;
use secrecy::SecretString;

use super::{
    key::{Shape, default, optional, required, secret, table},
    nearest::nearest,
    schedule::Schedule,
    section::section,
    setting::{Setting, Wrong, text, words},
    url::BaseUrl,
};

section! {
    /// AlumnIQ: the feed of work-profile changes.
    AlumniqConfig at "alumniq" {
        /// The API's base address, up to and with `index.cfm`. QA is another host with another key.
        url: BaseUrl = required("https://school.alumniq.com/api/v1/index.cfm"),
        /// The API key.
        api_key: SecretString = secret("ALUMNIQ_API_KEY"),
        /// The campus's time zone, an IANA name: the feed's dates are campus-local days.
        timezone: TimeZone = required("America/Los_Angeles"),
        /// When to fetch: "daily 02:00" in campus-local time, or "every 15m" (10 s at least).
        poll: Schedule = default("daily 02:00"),
        /// How many days each poll looks back.
        lookback_days: u32 = default("7").within(1.0, 366.0),
        /// "after_success": AlumnIQ is told once every destination has accepted the change.
        /// "on_fetch": AlumnIQ marks changes as processed while it sends them (markAsProcessed); they
        /// cannot be had again, so a crash right after the fetch loses them.
        acknowledge: AcknowledgeMode = default("after_success"),
        /// Rows without an xid: "dead_letter", or "match": the CRM matches on the contact fields, Salsa
        /// on the email address.
        anonymous: AnonymousRows = default("dead_letter"),
        /// A PEM file with the certificates of the authorities that sign its certificate. They alone are trusted then.
        /// Absent: this machine's certificate store counts (or `SSL_CERT_FILE` and `SSL_CERT_DIR`).
        ca_file: Option<PathBuf> = optional("alumniq-ca.pem"),
        /// How long one fetch may take.
        timeout: Duration = default("60s").within(1.0, 600.0),
        /// The school's own names of row fields: canonical name -> list of the keys to accept instead of
        /// the default ones. A new canonical name makes another field usable in templates.
        fields: BTreeMap<String, Vec<String>> = table(
            "employer = [\"employer\", \"company_name\"]\nclassYear = [\"class_year\"]",
        ),
    }
}

words! {
    /// When AlumnIQ marks a change as processed.
    AcknowledgeMode {
        /// By a PUT, after every destination has accepted the change.
        AfterSuccess = "after_success",
        /// While it answers the fetch: a crash right after it loses changes.
        OnFetch = "on_fetch",
    }
}

words! {
    /// What becomes of rows that name nobody.
    AnonymousRows {
        /// They are dead letters of class `anonymous`.
        DeadLetter = "dead_letter",
        /// The destinations match them on contact fields.
        Match = "match",
    }
}

impl Setting for TimeZone {
    const SHAPE: Shape = Shape::Text;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        let written = text(value)?.trim();
        Self::get(written).map_err(|_| {
            let names: Vec<String> = jiff::tz::db()
                .available()
                .map(|name| name.to_string())
                .collect();
            let help = suggest(written, &names);
            Wrong::new("is no IANA time zone").help(help)
        })
    }
}

/// People write the city (`Seattle` is none, `los angeles` is), a misspelt name or an abbreviation.
fn suggest(written: &str, names: &[String]) -> String {
    let city = |name: &str| name.rsplit('/').next().unwrap_or(name).replace('_', " ");
    let near = nearest(written, names.iter().map(String::as_str)).or_else(|| {
        let wanted = city(written).to_lowercase();
        names
            .iter()
            .find(|name| city(name).to_lowercase() == wanted)
            .map(String::as_str)
    });
    match near {
        Some(name) => format!("did you mean {name:?}?"),
        None => "write the name of a region and a city, e.g. \"America/New_York\"".to_owned(),
    }
}
