//! `[crm]` and `[crm.matching]`: the university's CRM (QS).

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use jobs::{country::CountryCodes, mapping::MapValue};
use secrecy::SecretString;

use super::{
    key::{Shape, default, optional, required, secret, table},
    limits::DestinationLimits,
    section::section,
    setting::{Setting, Wrong, word, words},
    url::BaseUrl,
};

section! {
    /// The CRM (QS).
    CrmConfig at "crm" {
        /// Whether changes go to the CRM.
        enabled: bool = default("true"),
        /// The API's base address.
        url: BaseUrl = required("https://crm.example.edu/crms/api"),
        /// "password": fetch a token with username and password; "bearer": `password` is a ready-made
        /// token; "none": a gateway in between authenticates.
        auth: CrmAuthKind = default("password"),
        /// The API user.
        username: Option<SecretString> = secret("CRM_USERNAME"),
        /// The API user's password, or the token when `auth = "bearer"`.
        password: Option<SecretString> = secret("CRM_PASSWORD"),
        /// "update" changes people whom the CRM knows; "upsert" also adds those it does not know.
        operation: CrmOperation = default("update"),
        /// The form in which country fields are sent: "alpha2", "alpha3" or "name".
        country_codes: CountryCodes = default("alpha3"),
        /// Calls at the same time, over all processes.
        concurrency: u32 = default("32").within(1.0, 10_000.0),
        /// Calls a minute, over all processes. Absent: no limit.
        rate_per_minute: Option<u32> = optional("600").within(1.0, 1_000_000.0),
        /// A PEM file with the certificates of the authorities that sign its certificate. They alone are trusted then.
        /// Absent: this machine's certificate store counts (or `SSL_CERT_FILE` and `SSL_CERT_DIR`).
        ca_file: Option<PathBuf> = optional("crm-ca.pem"),
        /// How long one call may take.
        timeout: Duration = default("30s").within(1.0, 600.0),
        /// Attempts before a change is a dead letter.
        max_attempts: u32 = default("10").within(1.0, 1_000.0),
        /// Field of the CRM's ContactUpsertDto -> template over the row's fields. An entry replaces the
        /// default one of the same field; `false` switches a default entry off. By default
        /// StudentInstitutionId is the xid, PhoneWork and EmailAddress2 are the work phone and email, and
        /// ContactNoteContent is a note with employer, title and address that ends in the changeId.
        map: BTreeMap<String, MapValue> = table(
            "PhoneWork = \"{{ phone }}\"\n\
             ContactNoteContent = false\n\
             CorrespondenceCountry = \"{{ countryiso or country }}\"",
        ),
        =>
        /// How the CRM finds the person.
        matching: CrmMatching,
    }
}

section! {
    /// How the CRM finds the person: the three URI parameters. A tie goes to the highest CrmNumber, so
    /// a loose setting can update the wrong person.
    CrmMatching at "crm.matching" {
        /// Whether the CRM matches people by similarity.
        enabled: bool = default("true"),
        /// The least score of a confirmed match, 0 to 100.
        min_confirmed_score: u32 = default("82").within(0.0, 100.0),
        /// The least similarity of names, 0 to 1.
        min_name_similarity: f64 = default("0.4").within(0.0, 1.0),
    }
}

words! {
    /// How the CRM is convinced of who we are.
    CrmAuthKind {
        /// By a token that username and password are exchanged for.
        Password = "password",
        /// By a ready-made token.
        Bearer = "bearer",
        /// Not at all.
        None = "none",
    }
}

words! {
    /// What a change becomes.
    CrmOperation {
        /// Nothing happens where nobody matches.
        Update = "update",
        /// A contact is made where nobody matches.
        Upsert = "upsert",
    }
}

/// How the CRM is convinced of who we are, with the secrets for it.
#[derive(Debug, Clone)]
pub enum CrmAuth {
    /// `crm.username` and `crm.password` are exchanged for a token.
    Password {
        /// `crm.username`.
        username: SecretString,
        /// `crm.password`.
        password: SecretString,
    },
    /// `crm.password` is the token.
    Bearer(SecretString),
    /// No header at all, for a gateway that adds its own.
    None,
}

/// What a CRM client does, beside its address.
#[derive(Debug, Clone)]
pub struct CrmOptions {
    /// Who we are.
    pub auth: CrmAuth,
    /// Update or upsert.
    pub operation: CrmOperation,
    /// How contacts are matched.
    pub matching: CrmMatching,
}

impl Setting for CountryCodes {
    const SHAPE: Shape = Shape::Text;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        word(
            value,
            &[
                ("alpha2", Self::Alpha2),
                ("alpha3", Self::Alpha3),
                ("name", Self::Name),
            ],
        )
    }
}

impl CrmConfig {
    /// What a client of the CRM does; `None` when a secret that `auth` needs is not set, which no loaded
    /// configuration lacks.
    pub fn options(&self) -> Option<CrmOptions> {
        let auth = match self.auth {
            CrmAuthKind::Password => CrmAuth::Password {
                username: self.username.clone()?,
                password: self.password.clone()?,
            },
            CrmAuthKind::Bearer => CrmAuth::Bearer(self.password.clone()?),
            CrmAuthKind::None => CrmAuth::None,
        };
        Some(CrmOptions {
            auth,
            operation: self.operation,
            matching: self.matching.clone(),
        })
    }

    /// The destination's limits.
    pub fn limits(&self) -> DestinationLimits {
        DestinationLimits {
            concurrency: self.concurrency,
            rate_per_minute: self.rate_per_minute,
            timeout: self.timeout,
            max_attempts: self.max_attempts,
        }
    }
}
